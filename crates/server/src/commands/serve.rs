//! `jan-server serve`.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::Context;
use domain::Clock;
use gateway::Gateway;
use http_kit::{Listener, MountedService};
use store::{Store, StoreError};
use tokio::sync::oneshot;

#[cfg(feature = "embedded")]
use crate::progress::Reporter;
use crate::{
    cli::Serve,
    commands::of_file,
    config::{self, Config, Settings},
    data::DataDir,
    hint,
    lifecycle::{Lifecycle, Signals},
    parts::{self, Parts},
    services::ServiceName,
    telemetry::Telemetry,
};

/// The pauses while the database is away.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

pub(crate) fn run(command: &Serve) -> anyhow::Result<()> {
    let settings = config::load(command.sources())?;
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if settings.config.server.worker_threads > 0 {
        runtime.worker_threads(settings.config.server.worker_threads);
    }
    let runtime = runtime.enable_all().thread_name("server").build().context("cannot start the runtime")?;
    let served = runtime.block_on(start(settings));
    // Whatever blocks still has had its time.
    runtime.shutdown_timeout(Duration::from_millis(100));
    served
}

async fn start(settings: Settings) -> anyhow::Result<()> {
    let config = &settings.config;
    let signals = Signals::listen()?;
    let data = DataDir::take(&config.server.data_dir)?;
    let client = outbound::Client::new(&config.outbound)?;
    let telemetry = Telemetry::start(&config.log, &config.telemetry, &client)?;
    if let Some(path) = &settings.file {
        tracing::info!(file = %path.display(), "Read the configuration");
    } else {
        tracing::info!("No configuration file: defaults, environment and flags");
    }
    let served = serve(config, &data, &client, &telemetry, signals).await;
    data.forget_ports();
    if served.is_ok() {
        tracing::info!("Stopped");
    }
    // The last traces are sent by the runtime, so the wait for them is not on it.
    _ = tokio::task::spawn_blocking(move || telemetry.close()).await;
    served
}

async fn serve(
    config: &Config,
    data: &DataDir,
    client: &outbound::Client,
    telemetry: &Telemetry,
    signals: Signals,
) -> anyhow::Result<()> {
    let life = Lifecycle::default();
    let listeners = bind(config).await?;
    let metrics = bind_metrics(config).await?;
    let store = of_file(&config.database, Store::connect_lazy(&config.database))?;
    // A first start makes the signing key, which takes about as long as making the database: side by side.
    let identity = tokio::task::spawn_blocking({
        let (config, store) = (config.clone(), store.clone());
        move || parts::identity(&config, &store, &Clock::System)
    });
    let (fail, failed) = oneshot::channel();
    if config.database.file().is_some() {
        of_file(&config.database, store.migrate().await)?;
        drop(fail);
    } else {
        // It may not be there yet: the server starts before it, alive and not ready.
        life.tasks.spawn(keep_migrating(store.clone(), life.clone(), fail));
    }
    let parts = Parts::build(config, store, identity.await??, client, &life, telemetry.traces.is_some())?;
    parts.first_look().await;
    parts.start(&life);
    #[cfg(feature = "embedded")]
    parts.start_embedded(&life, Reporter::new(telemetry.show_progress()));

    let mut ports = Vec::new();
    for (service, listener) in &listeners {
        ports.push((*service, listener.local_addr()?.port()));
    }
    let mut named: Vec<(&str, u16)> = ports.iter().map(|(service, port)| (service.name(), *port)).collect();
    if let Some(listener) = &metrics {
        named.push(("metrics", listener.local_addr()?.port()));
    }
    open(listeners, metrics, &parts, config, &life);
    data.write_ports(&named)?;
    // None while the database is away: the command line makes administrators too.
    let setup = parts.identity.setup_link().await.ok().flatten();
    if telemetry.for_people {
        telemetry.say(&hint::text(config, &ports, parts.example_model().as_deref(), setup.as_deref()));
    } else {
        for (service, port) in named {
            tracing::info!(service, port, "Listening");
        }
        if let Some(url) = setup {
            // Where containers run, the log is the terminal. The link is good for half an hour, once.
            tracing::warn!(url, "Nobody administers the server yet: who opens this first makes the account");
        }
    }
    let drain = Duration::from_secs(config.listener.drain_timeout);
    life.run(signals, failed, drain).await?;
    parts.store.close().await;
    Ok(())
}

/// Binds every socket before any is served: either all services come up or none does.
async fn bind(config: &Config) -> anyhow::Result<Vec<(ServiceName, Listener)>> {
    let mut listeners = Vec::new();
    for service in ServiceName::selected(&config.server.services) {
        let address = SocketAddr::new(config.server.bind, config.ports.of(service));
        let port = format!("`{} PORT`", service.port_flag());
        let listener = Listener::bind(address, config.listener).await.map_err(|error| {
            anyhow::Error::msg(cannot_bind(service.name(), &port, "`--bind ADDRESS`", address, &error))
        })?;
        listeners.push((service, listener.behind(config.edge.trusted_proxies.clone())));
    }
    Ok(listeners)
}

/// The socket of the numbers, if they have one of their own.
async fn bind_metrics(config: &Config) -> anyhow::Result<Option<Listener>> {
    let Some(port) = config.metrics.port else { return Ok(None) };
    let address = SocketAddr::new(config.metrics.bind, port);
    let listener = Listener::bind(address, config.listener).await.map_err(|error| {
        anyhow::Error::msg(cannot_bind(
            "metrics",
            "the setting metrics.port",
            "the setting metrics.bind",
            address,
            &error,
        ))
    })?;
    Ok(Some(listener))
}

/// What, why, and what mends it, in a line. `port` and `bind` are how another port and address are chosen.
fn cannot_bind(service: &str, port: &str, bind: &str, address: SocketAddr, error: &io::Error) -> String {
    let (why, mend) = match error.kind() {
        io::ErrorKind::AddrInUse => {
            ("another program listens there".to_owned(), format!("choose another port with {port}"))
        }
        io::ErrorKind::AddrNotAvailable => {
            ("this machine has no such address".to_owned(), format!("choose one with {bind}"))
        }
        io::ErrorKind::PermissionDenied => {
            ("this user may not".to_owned(), format!("choose a port from 1024 on with {port}"))
        }
        _ => (error.to_string(), format!("choose another port with {port}")),
    };
    format!("cannot listen on {address} for {service}: {why}; {mend}, or port 0 for a free one")
}

/// Mounts the services and serves them on their sockets.
fn open(
    listeners: Vec<(ServiceName, Listener)>,
    metrics: Option<Listener>,
    parts: &Parts,
    config: &Config,
    life: &Lifecycle,
) {
    let mut built: Vec<MountedService> =
        ServiceName::built(&config.server.services).into_iter().filter_map(|name| parts.mount(name)).collect();
    for (name, listener) in listeners {
        let (tasks, draining, closing) = (life.tasks.clone(), life.draining.clone(), life.closing.clone());
        if let Some(service) = built.iter().find(|service| service.name() == name.name()) {
            life.tasks.spawn(listener.serve(service.clone(), tasks, draining, closing));
        } else {
            let gateway = Gateway::new(&parts.edge, built.iter().cloned());
            built.push(gateway.own().clone());
            life.tasks.spawn(listener.serve(gateway, tasks, draining, closing));
        }
    }
    if let Some(listener) = metrics {
        let service = http_kit::metrics::service(&built).mount(&parts.edge);
        let (tasks, draining, closing) = (life.tasks.clone(), life.draining.clone(), life.closing.clone());
        life.tasks.spawn(listener.serve(service, tasks, draining, closing));
    }
}

/// Brings the database up to date as soon as it is there. What does not mend itself ends the server.
async fn keep_migrating(store: Store, life: Lifecycle, fail: oneshot::Sender<anyhow::Error>) {
    let started = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        let done = tokio::select! {
            () = life.draining.cancelled() => return,
            done = store.migrate() => done,
        };
        match done {
            Ok(()) => {
                tracing::info!(after_ms = started.elapsed().as_millis() as u64, "The database is ready");
                return;
            }
            Err(error @ StoreError::Unavailable(_)) => {
                let cause = domain::Error::from(error).causes();
                tracing::warn!(
                    cause,
                    pause_ms = pause.as_millis() as u64,
                    "The database does not answer; trying again"
                );
            }
            Err(error) => {
                // Nobody waits for it when the server is stopping anyway.
                _ = fail.send(error.into());
                return;
            }
        }
        tokio::select! {
            () = life.draining.cancelled() => return,
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
        }
    }
}
