//! The suites that call the gateway through other people's client libraries.
//!
//! Invariant: each set of requirements has its own environment below the target folder, and is
//! installed again only when the requirements changed.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use crate::shell::{binary, cargo, root, target, tool};

const SUITES: &str = "tests/clients";

/// Builds the gateway and runs every client suite against it.
pub(crate) fn run() -> Result<()> {
    let folder = root()?.join(SUITES);
    let current = folder.join("requirements.txt");
    if !current.is_file() {
        bail!("{SUITES}/requirements.txt is missing: the client suites are not in this tree");
    }
    cargo(&["build", "-p", "sabir-server"]).run()?;
    let gateway = binary("debug")?;
    let python = environment("clients-venv", &current)?;
    pytest(&python, &gateway, &[])?;
    // An application that has not moved to the current client for a year has to work as well.
    let old = folder.join("requirements-openai-1.51.txt");
    if !old.is_file() {
        bail!("{SUITES}/requirements-openai-1.51.txt is missing: the suite for the old client is not in this tree");
    }
    let python = environment("clients-venv-openai-1.51", &old)?;
    pytest(&python, &gateway, &["-m", "openai"])
}

fn pytest(python: &Path, gateway: &Path, args: &[&str]) -> Result<()> {
    tool(python).args(["-m", "pytest", "-p", "no:cacheprovider", SUITES]).args(args).env("SABIR_BINARY", gateway).run()
}

/// The interpreter of an environment in which the requirements are installed.
fn environment(name: &str, requirements: &Path) -> Result<PathBuf> {
    let folder = target()?.join(name);
    let python = folder.join("bin").join("python");
    let wanted =
        fs::read_to_string(requirements).with_context(|| format!("{} is unreadable", requirements.display()))?;
    let stamp = folder.join("installed-requirements.txt");
    // The interpreter is a link to the system's: an update of that can leave it dangling.
    let usable = tool(&python).arg("--version").works();
    if usable && fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    let with_pip =
        if usable && tool(&python).args(["-m", "pip", "--version"]).works() { true } else { create(&folder)? };
    let requirements = requirements.to_string_lossy();
    let install = ["install", "--quiet", "--disable-pip-version-check", "-r", &*requirements];
    if with_pip {
        tool(&python).args(["-m", "pip"]).args(install).run()?;
    } else {
        tool(host()?).args(["-m", "pip", "--python"]).arg(&folder).args(install).run()?;
    }
    fs::write(&stamp, wanted).with_context(|| format!("{} could not be written", stamp.display()))?;
    Ok(python)
}

/// Makes an empty environment; whether it has a pip of its own.
fn create(folder: &Path) -> Result<bool> {
    let host = host()?;
    let venv = || tool(host).args(["-m", "venv", "--clear"]);
    if venv().arg(folder).works() {
        return Ok(true);
    }
    // Debian keeps `ensurepip` in a package of its own.
    let root = tool("id").arg("-u").output().is_ok_and(|id| id.trim_ascii() == b"0");
    if root && tool("apt-get").arg("--version").works() {
        let apt = || tool("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args(["-y", "-qq"]);
        let installed = apt().args(["install", "python3-venv"]).works()
            || (apt().arg("update").works() && apt().args(["install", "python3-venv"]).works());
        if installed && venv().arg(folder).works() {
            return Ok(true);
        }
    }
    // Without it, the system's pip can still install into the environment from outside.
    if tool(host).args(["-m", "pip", "--version"]).works() {
        venv().arg("--without-pip").arg(folder).run()?;
        return Ok(false);
    }
    bail!("`{host} -m venv` does not work here and there is no pip: install python3-venv");
}

fn host() -> Result<&'static str> {
    match ["python3", "python"].into_iter().find(|python| tool(python).arg("--version").works()) {
        Some(python) => Ok(python),
        None => bail!("no Python: the client suites need CPython as `python3`"),
    }
}
