//! What the command line says.

use crate::support::Place;

#[test]
fn help_lists_the_commands() {
    let done = Place::new().run(&["--help"]);
    assert_eq!(done.code, 0);
    insta::assert_snapshot!(done.out);
}

#[test]
fn help_of_serve_lists_the_flags() {
    let done = Place::new().run(&["serve", "--help"]);
    assert_eq!(done.code, 0);
    insta::assert_snapshot!(done.out);
}

#[test]
fn a_wrong_command_line_is_2_and_says_what_it_may_have_meant() {
    let place = Place::new();
    let done = place.run(&["serve", "--llm-port", "1"]);
    assert_eq!(done.code, 2);
    assert!(done.err.contains("--llm-api-port"), "{}", done.err);
    assert_eq!(place.run(&["serv"]).code, 2);
    assert_eq!(place.run(&["serve", "--only", "llm-api,gatway"]).code, 2);
    assert_eq!(place.run(&["serve", "--gateway-port", "65536"]).code, 2);
}

#[test]
fn the_version_is_told() {
    let done = Place::new().run(&["version"]);
    assert_eq!((done.code, done.out.as_str()), (0, concat!("jan-server ", env!("CARGO_PKG_VERSION"), "\n")));
}

#[test]
fn commands_that_need_a_server_say_that_there_is_none() {
    let place = Place::new();
    for command in ["env", "healthcheck"] {
        let done = place.run(&[command]);
        assert_eq!((done.code, done.out.as_str()), (1, ""), "{done:?}");
        assert!(done.err.contains("no server runs on the data directory data"), "{done:?}");
        let done = place.run(&[command, "--url", "http://127.0.0.1:1"]);
        assert_eq!(done.code, 1, "{done:?}");
        assert!(done.err.contains("no answer from http://127.0.0.1:1"), "{done:?}");
    }
    assert!(!place.path().join("data").exists(), "asking makes nothing");
}

#[test]
fn generated_pages_are_whole() {
    let place = Place::new();
    for (page, words) in [
        ("config", "| `llm_api` | `8080` | `JAN_PORTS__LLM_API` |"),
        ("cli", "## `jan-server serve`"),
        ("default-config", "# llm_api = 8080"),
        ("config-schema", "\"$schema\""),
    ] {
        let done = place.run(&["docs", page]);
        assert_eq!(done.code, 0);
        assert!(done.out.contains(words), "{page}: {}", done.out);
    }
}
