//! The Python package: built, installed and tested as somebody who installs it would have it.
//!
//! Invariant: what is tested is the wheel, not the files beside it, and the gateway of this tree.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use crate::{
    clients::{environment, install},
    shell::{binary, cargo, root, target, tool},
};

const PACKAGE: &str = "bindings/python";

/// Builds the wheel, installs it, checks its types and runs its tests.
pub(crate) fn run() -> Result<()> {
    let package = root()?.join(PACKAGE);
    let python = environment("python-venv", &package.join("tests").join("requirements.txt"))?;
    cargo(&["build", "-p", "sabir-server"]).run()?;
    let wheel = wheel(&python, "wheels", &[])?;
    install(&python, ["--no-deps", "--force-reinstall", &*wheel.to_string_lossy()])?;
    let config = package.join("pyproject.toml");
    tool(&python)
        .args(["-m", "mypy", "--no-incremental", "--config-file"])
        .arg(&config)
        .args([format!("{PACKAGE}/python"), format!("{PACKAGE}/tests")])
        .run()?;
    tool(&python)
        .args(["-m", "pytest", "-c"])
        .arg(&config)
        .arg(format!("{PACKAGE}/tests"))
        .env("SABIR_BINARY", binary("debug")?)
        .run()
}

/// Builds the gateway and the wheel as they are released, and runs `bench.py` beside other clients.
pub(crate) fn bench(args: &[String]) -> Result<()> {
    let package = root()?.join(PACKAGE);
    let builder = environment("python-venv", &package.join("tests").join("requirements.txt"))?;
    cargo(&["build", "--release", "-p", "sabir-server"]).run()?;
    let wheel = wheel(&builder, "release-wheels", &["--release"])?;
    // The clients that the suites use, in an environment that no suite is confused by.
    let python = environment("python-bench-venv", &root()?.join("tests/clients/requirements.txt"))?;
    install(&python, ["--no-deps", "--force-reinstall", &*wheel.to_string_lossy()])?;
    tool(&python).arg(package.join("bench.py")).args(args).env("SABIR_BINARY", binary("release")?).run()
}

/// Builds the wheel into a folder of its own below the target folder.
fn wheel(python: &Path, folder: &str, args: &[&str]) -> Result<PathBuf> {
    let wheels = target()?.join(folder);
    // An old wheel beside the new one would be installed just as well.
    if wheels.exists() {
        fs::remove_dir_all(&wheels).with_context(|| format!("{} could not be emptied", wheels.display()))?;
    }
    // `maturin` is a program beside the interpreter; asked for as a module, it needs no path.
    tool(python)
        .args(["-m", "maturin", "build", "--quiet", "--manifest-path"])
        .arg(root()?.join(PACKAGE).join("Cargo.toml"))
        .arg("--interpreter")
        .arg(python)
        .arg("--out")
        .arg(&wheels)
        .args(args)
        .env("CARGO_TARGET_DIR", target()?)
        .run()?;
    only(&wheels)
}

/// The one file of a folder.
fn only(folder: &Path) -> Result<PathBuf> {
    let entries = fs::read_dir(folder).with_context(|| format!("{} is unreadable", folder.display()))?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<Vec<_>>>();
    match paths.with_context(|| format!("{} is unreadable", folder.display()))?.as_slice() {
        [path] => Ok(path.clone()),
        paths => bail!("{} wheels in {}, not one", paths.len(), folder.display()),
    }
}
