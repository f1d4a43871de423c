//! Layers, errors and secrets of the configuration.

use crate::support::{Done, Place};

fn shown(place: &Place, arguments: &[&str]) -> String {
    let done = place.run(&[&["config", "show"], arguments].concat());
    assert_eq!(done.code, 0, "{done:?}");
    done.out
}

fn refused(place: &Place) -> String {
    let Done { code, out, err } = place.run(&["config", "check"]);
    assert_eq!((code, out.as_str()), (2, ""), "{err}");
    err
}

#[test]
fn a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default() {
    let place =
        Place::new().file("jan.toml", "[server]\npublic_url = \"http://file\"\n[ports]\nllm_api = 1\ngateway = 3\n");
    let text = shown(&place, &[]);
    assert!(text.contains("# Read from jan.toml."), "{text}");
    assert!(text.contains("llm_api = 1 # jan.toml\n"), "{text}");
    assert!(text.contains("media_api = 8285 # default\n"), "{text}");

    let place = place.env("JAN_PORTS__LLM_API", "2").env("JAN_SERVER__DATA_DIR", "elsewhere");
    let text = shown(&place, &["--data", "flagged"]);
    assert!(text.contains("llm_api = 2 # JAN_PORTS__LLM_API\n"), "{text}");
    assert!(text.contains("gateway = 3 # jan.toml\n"), "{text}");
    assert!(text.contains("data_dir = \"flagged\" # --data\n"), "{text}");
    assert!(text.contains("path = \"flagged/jan.db\" # default\n"), "the database follows: {text}");
}

#[test]
fn the_public_address_follows_the_gateways_port() {
    assert!(shown(&Place::new(), &[]).contains("public_url = \"http://localhost:8000\" # default"));
    let place = Place::new().env("JAN_PORTS__GATEWAY", "9000");
    assert!(shown(&place, &[]).contains("public_url = \"http://localhost:9000\" # default"));
    let place = place.env("JAN_SERVER__PUBLIC_URL", "http://jan.example");
    assert!(shown(&place, &[]).contains("public_url = \"http://jan.example\""), "who sets it means it");
    let place = Place::new().env("JAN_PORTS__GATEWAY", "0");
    assert!(shown(&place, &[]).contains("public_url = \"http://localhost:8000\""), "tokens outlive a free port");
}

#[test]
fn the_file_is_the_named_one_or_the_data_directorys_or_the_one_here() {
    let place = Place::new()
        .file("jan.toml", "[log]\nlevel = \"debug\"\n")
        .file("data/jan.toml", "[log]\nlevel = \"warn\"\n")
        .file("named.toml", "[log]\nlevel = \"error\"\n");
    assert!(shown(&place, &[]).contains("level = \"warn\" # data/jan.toml"));
    assert!(shown(&place, &["--data", "x"]).contains("level = \"debug\" # jan.toml"));
    assert!(shown(&place, &["--config", "named.toml"]).contains("level = \"error\" # named.toml"));
    let done = place.run(&["config", "check", "--config", "absent.toml"]);
    assert_eq!(done.code, 2);
    assert!(done.err.contains("absent.toml") && done.err.contains("cannot be read"), "{}", done.err);
}

#[test]
fn variables_of_the_reference_server_are_understood() {
    let place = Place::new()
        .env("HTTP_PORT", "9080")
        .env("MCP_TOOLS_HTTP_PORT", "9091")
        .env("DB_POSTGRESQL_WRITE_DSN", "postgres://a:secret-a@h/one")
        .env("DATABASE_URL", "postgres://b:secret-b@h/two")
        .env("LOG_LEVEL", "warn")
        .env("LOG_FORMAT", "json")
        .env("SHUTDOWN_TIMEOUT", "10s")
        .env("API_KEY_MAX_TTL", "48h")
        .env("AUTH_ENABLED", "true")
        .env("OTEL_EXPORTER_OTLP_HEADERS", "authorization=secret-c")
        .env("VLLM_PROVIDER_URL", "http://127.0.0.1:8101/v1")
        .env("VLLM_INTERNAL_KEY", "secret-d")
        .env("MEDIA_API_PORT", "");
    let text = shown(&place, &[]);
    for line in [
        "llm_api = 9080 # HTTP_PORT",
        "mcp_tools = 9091 # MCP_TOOLS_HTTP_PORT",
        "media_api = 8285 # default",
        "url = \"********\" # DATABASE_URL",
        "level = \"warn\" # LOG_LEVEL",
        "format = \"json\" # LOG_FORMAT",
        "drain_timeout = 10 # SHUTDOWN_TIMEOUT",
        "api_key_hours = 48 # API_KEY_MAX_TTL",
        "auth_enabled = true # AUTH_ENABLED",
        "otlp_headers = \"********\" # OTEL_EXPORTER_OTLP_HEADERS",
        "[[upstreams]] # VLLM_PROVIDER_URL",
        "name = \"vllm\"",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    assert!(!text.contains("secret-"), "{text}");
}

#[test]
fn a_text_of_digits_stays_a_text() {
    let place =
        Place::new().env("JAN_TELEMETRY__SERVICE_NAME", "007").env("JAN_UPSTREAMS", "http://a/v1,12345 http://b/v1");
    let text = shown(&place, &[]);
    assert!(text.contains("service_name = \"007\""), "{text}");
    assert!(text.contains("url = \"http://b/v1\""), "{text}");
}

#[test]
fn everything_wrong_is_named_with_where_it_stands() {
    let place = Place::new()
        .file(
            "jan.toml",
            "[sever]\nx = 1\n[ports]\nllm_apu = 1\n[server]\nllm_api = 3\n[[upstreams]]\nurl = \"http://a\"\nkeey = \"hunter2\"\n",
        )
        .env("JAN_PORTS__GATEWAI", "1")
        .env("JAN_DATABASE_URL", "postgres://u:hunter2@h/d")
        .env("JAN_PROVIDER_CONFIG_SET", "default")
        .env("JAN_LISTENER__DRAIN_TIMEOUT", "soon");
    let text = refused(&place);
    for words in [
        "sever (from jan.toml): there is no such setting; did you mean `server`?",
        "ports.llm_apu (from jan.toml): there is no such setting; did you mean `llm_api`?",
        "server.llm_api (from jan.toml): there is no such setting; did you mean `ports.llm_api`?",
        "upstreams[0].keey (from jan.toml): there is no such setting; did you mean `key`?",
        "JAN_PORTS__GATEWAI: there is no such setting; did you mean `JAN_PORTS__GATEWAY`?",
        "JAN_DATABASE_URL: there is no such setting; did you mean `JAN_DATABASE__URL`?",
        "listener.drain_timeout (from JAN_LISTENER__DRAIN_TIMEOUT): `soon` is no whole number",
    ] {
        assert!(text.contains(words), "{words} is not in {text}");
    }
    assert!(!text.contains("PROVIDER_CONFIG_SET"), "another program's variable is none of ours: {text}");
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn what_types_cannot_say_is_checked() {
    let cases = [
        ("[ports]\ngateway = 8080\n", "ports.gateway", "8080 is the port of llm-api, too"),
        ("[server]\nbind = \"nowhere\"\n", "server.bind", "invalid IP address"),
        ("[server]\nservices = [\"llm-api\", \"lmm\"]\n", "server.services[1]", "unknown variant `lmm`"),
        ("[server]\npublic_url = \"example.org\"\n", "server.public_url", "is no URL"),
        ("[log]\nlevel = \"loud=very\"\n", "log.level", "no level"),
        ("[telemetry]\nsample_ratio = 2.0\n", "telemetry.sample_ratio", "not between 0 and 1"),
        ("[listener]\nmax_connections = 0\n", "listener.max_connections", "between 1 and"),
        ("[listener]\ndrain_timeout = 99999999999\n", "listener.drain_timeout", "between 0 and 86400"),
        ("[edge]\nmax_in_flight = 0\n", "edge.max_in_flight", "between 1 and"),
        ("[database]\nmax_connections = 0\n", "database.max_connections", "between 1 and"),
        ("[embedded]\nparallel = 0\n", "embedded.parallel", "between 1 and 256"),
        ("[embedded]\nhugging_face = \"mirror\"\n", "embedded.hugging_face", "is no URL"),
        (
            "[[upstreams]]\nurl = \"http://h/v1\"\ntotal_secs = 9223372036854775807\n",
            "upstreams[0].total_secs",
            "between 1 and 86400",
        ),
        ("[identity]\napi_key_prefix = \"key\"\n", "identity.api_key_prefix", "must begin with sk_"),
        ("[[upstreams]]\nurl = \"http://u:hunter2@h/v1\"\n", "upstreams[0].url", "give the key as `key`"),
        ("[[upstreams]]\nkey = \"hunter2\"\n", "upstreams[0]", "missing field `url`"),
    ];
    for (file, field, words) in cases {
        let text = refused(&Place::new().file("jan.toml", file));
        assert!(text.contains(&format!("{field} (from jan.toml): ")) && text.contains(words), "{file}: {text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn no_error_shows_a_secret() {
    for file in [
        "[database]\nurl = 12345678\n",
        "[database]\nurl = [\"12345678\"]\n",
        "[[upstreams]]\nurl = \"http://a\"\nkey = 12345678\n",
        "[[upstreams]]\nurl = \"http://a\"\nkey = \"12345678\n",
        "key = 12345678 12345678\n",
        "[telemetry]\notlp_headers = \"12345678\"\n",
    ] {
        let text = refused(&Place::new().file("jan.toml", file));
        assert!(!text.contains("12345678"), "{file}: {text}");
    }
}

#[test]
fn a_wrong_configuration_starts_nothing() {
    let place = Place::new().file("jan.toml", "[ports]\nllm_api = \"x\"\n");
    let done = place.run(&["serve"]);
    assert_eq!(done.code, 2, "{done:?}");
    assert!(done.err.contains("ports.llm_api (from jan.toml)"), "{done:?}");
    assert!(!place.path().join("data").exists());
}

#[test]
fn limits_and_proxies_that_cannot_be_followed_are_named() {
    let place = Place::new().file(
        "jan.toml",
        "[rate_limits]\nchat = 2000000\n[[rate_limits.routes]]\nroute = \"/v1/models\"\nper_minute = 1\n",
    );
    let text = refused(&place);
    assert!(text.contains("rate_limits.chat") && text.contains("between 0 and 1000000"), "{text}");
    assert!(text.contains("rate_limits.routes[0].route") && text.contains("GET /v1/models"), "{text}");
    let routes = ["GET /v1/modles", "PUT /v1/models", "PATCH /v1/projects/{project_id}"];
    let routes = routes.map(|route| format!("[[rate_limits.routes]]\nroute = \"{route}\"\nper_minute = 1\n"));
    let text = refused(&Place::new().file("jan.toml", &routes.concat()));
    assert!(text.contains("rate_limits.routes[0].route") && text.contains("`GET /v1/modles` is no route"), "{text}");
    assert!(text.contains("rate_limits.routes[1].route") && !text.contains("rate_limits.routes[2]"), "{text}");
    // Also where a command reads its configuration inside a runtime.
    let done = Place::new().file("jan.toml", &routes[0]).run(&["user", "list"]);
    assert!(done.code != 101 && done.err.contains("rate_limits.routes[0].route"), "{done:?}");
    let place = Place::new().env("JAN_EDGE__TRUSTED_PROXIES", "10.0.0.0/8,proxy.example");
    let text = refused(&place);
    assert!(text.contains("edge.trusted_proxies") && text.contains("`proxy.example`"), "{text}");
    let place = Place::new().env("JAN_EDGE__FORWARDED_HEADER", "x-real-ip");
    assert!(refused(&place).contains("edge.forwarded_header"));
}
