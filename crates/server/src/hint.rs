//! What a person is told when the server is up: where it listens, and the lines that lead to a first answer.

use std::{fmt::Write, path::Path};

use crate::{client, commands::env::quoted, config::Config, services::ServiceName};

/// The text. `setup` is the address at which the first administrator is made.
pub(crate) fn text(config: &Config, ports: &[(ServiceName, u16)], model: Option<&str>, setup: Option<&str>) -> String {
    let address = |port| client::address(config.server.bind, port);
    let mut text = format!(
        "\njan-server {} is up; its data is in {}.\n\n",
        env!("CARGO_PKG_VERSION"),
        config.server.data_dir.display()
    );
    for (service, port) in ports {
        _ = writeln!(text, "  {:<13} {}", service.name(), address(*port));
    }
    let door = [ServiceName::Gateway, ServiceName::LlmApi]
        .into_iter()
        .find_map(|name| ports.iter().find(|(service, _)| *service == name));
    if door.is_some() {
        _ = write!(
            text,
            "\nIn another terminal, for curl and OpenAI's SDKs alike:\n\n  \
             eval \"$({} env{})\"\n  \
             curl -N $OPENAI_BASE_URL/chat/completions -H \"Authorization: Bearer $OPENAI_API_KEY\" \\\n    \
             -H 'Content-Type: application/json' \\\n    \
             -d '{{\"model\":\"{}\",\"stream\":true,\"messages\":[{{\"role\":\"user\",\"content\":\"Hello!\"}}]}}'\n",
            program(),
            data_flag(config),
            model.unwrap_or("MODEL"),
        );
        if model.is_none() {
            text.push_str(
                "\nMODEL is one of: curl $OPENAI_BASE_URL/models -H \"Authorization: Bearer $OPENAI_API_KEY\"\n",
            );
        }
    }
    if let Some(link) = setup.filter(|_| door.is_some()) {
        _ = write!(
            text,
            "\nNobody administers this server yet. Who opens this within half an hour will:\n\n  {link}\n"
        );
    }
    text.push_str("\nCtrl-C stops it.\n\n");
    text
}

/// This program as a shell finds it from here.
fn program() -> String {
    let name = "jan-server".to_owned();
    let Ok(path) = std::env::current_exe() else { return name };
    let on_path = std::env::var_os("PATH")
        .is_some_and(|dirs| std::env::split_paths(&dirs).any(|dir| dir.join("jan-server") == path));
    if on_path {
        return name;
    }
    let here = std::env::current_dir().unwrap_or_default();
    quoted(&path.strip_prefix(&here).unwrap_or(&path).display().to_string())
}

fn data_flag(config: &Config) -> String {
    let data = &config.server.data_dir;
    if data == Path::new(crate::config::DATA_DIR) {
        String::new()
    } else {
        format!(" --data {}", quoted(&data.display().to_string()))
    }
}
