//! Python with the packages that the end-to-end tests use, in an environment of its own.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, Result};

use crate::{cache, process, tree};

/// Makes the environment, or finds it as it was; says where its interpreter is.
pub(crate) fn environment() -> Result<PathBuf> {
    let requirements = tree::root().join("crates/e2e/sdk/requirements.txt");
    let directory = cache::keyed("python", &[&requirements], |directory| {
        let python = interpreter()?;
        process::run(Command::new(python).args(["-m", "venv"]).arg(directory))?;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:", "-r"];
        process::run(Command::new(directory.join("bin/python")).args(pip).arg(&requirements))
            .context("the Python SDK cannot be installed")
    })?;
    Ok(directory.join("bin/python"))
}

/// An interpreter that can make environments; Debian's, installed if there is none.
fn interpreter() -> Result<&'static str> {
    const CANDIDATES: [&str; 2] = ["python3", "/usr/bin/python3"];
    // `venv` is always there; what Debian leaves out of it is `ensurepip`.
    let able = |python: &&str| process::works(python, &["-c", "import venv, ensurepip, ssl"]);
    if let Some(python) = CANDIDATES.into_iter().find(|python| able(python)) {
        return Ok(python);
    }
    test_postgres::install(&["python3", "python3-venv"])?;
    CANDIDATES.into_iter().find(|python| able(python)).context("python3 cannot make environments even now")
}
