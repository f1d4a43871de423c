//! `jan-server config`.

use crate::{cli::ConfigCommand, commands::print, config};

pub(crate) fn run(command: &ConfigCommand) -> anyhow::Result<()> {
    match command {
        ConfigCommand::Check(common) => {
            let settings = config::load(common.sources(Vec::new()))?;
            let from = match &settings.file {
                Some(path) => format!("{} is right.\n", path.display()),
                None => "The configuration is right; no file was read.\n".to_owned(),
            };
            print(&from)
        }
        ConfigCommand::Show(common) => print(&config::show(&config::load(common.sources(Vec::new()))?)),
        ConfigCommand::Schema => print(&config::schema()),
    }
}
