//! `jan-server docs`: the pages that are generated into the repository.

use std::fmt::Write;

use clap::{Arg, Command, CommandFactory};

use crate::{
    cli::{Cli, EXIT_CODES, Page},
    commands::{access, openapi, print},
    config,
};

pub(crate) fn run(page: Page) -> anyhow::Result<()> {
    print(&match page {
        Page::Config => config::markdown(),
        Page::Cli => cli(),
        Page::Access => access::markdown(&openapi::all()?),
        Page::DefaultConfig => config::default_file(),
        Page::ConfigSchema => config::schema(),
    })
}

/// The command line as a page.
fn cli() -> String {
    let mut root = Cli::command();
    root.build();
    let about = root.get_about().map(ToString::to_string).unwrap_or_default();
    let mut text = format!("# Command line\n\n{about}\n\n{EXIT_CODES}\n");
    for command in root.get_subcommands() {
        describe(&mut text, "jan-server", command);
    }
    text
}

fn describe(text: &mut String, parents: &str, command: &Command) {
    if command.is_hide_set() || command.get_name() == "help" {
        return;
    }
    let name = format!("{parents} {}", command.get_name());
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    let inner: Vec<&Command> = command.get_subcommands().filter(|c| c.get_name() != "help").collect();
    if inner.is_empty() {
        _ = write!(text, "\n## `{name}`\n\n{about}\n");
        arguments(text, command);
    }
    for command in inner {
        describe(text, &name, command);
    }
}

fn arguments(text: &mut String, command: &Command) {
    let shown = |arg: &&Arg| !arg.is_hide_set() && !matches!(arg.get_id().as_str(), "help" | "version");
    let arguments: Vec<&Arg> = command.get_arguments().filter(shown).collect();
    if arguments.is_empty() {
        return;
    }
    text.push_str("\n| argument | what it is |\n|---|---|\n");
    for argument in arguments {
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let value = match argument.get_value_names() {
            Some([name]) if argument.get_action().takes_values() => format!(" {name}"),
            _ => String::new(),
        };
        let spelling = match argument.get_long() {
            Some(long) => format!("--{long}{value}"),
            None => format!("[{}]", argument.get_id().as_str().to_ascii_uppercase()),
        };
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
        _ = writeln!(text, "| `{spelling}` | {help} |");
    }
}
