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
    let modules = node(&folder)?;
    let bodies = bodies()?;
    pytest(&python, &gateway, modules.as_deref(), Some(&bodies), &[])?;
    // Applications that have not moved to a current client for a year, and clients that cannot be
    // installed beside the others.
    for (name, file) in others(&folder)? {
        let python = environment(&format!("clients-venv-{name}"), &file)?;
        pytest(&python, &gateway, None, None, &["-m", marker(&name)])?;
    }
    Ok(())
}

/// The further sets of requirements, `requirements-NAME.txt`, in the order of their names.
fn others(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("{} is unreadable", folder.display()))? {
        let path = entry?.path();
        let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some(name) = file.strip_prefix("requirements-").and_then(|rest| rest.strip_suffix(".txt")) {
            found.push((name.to_owned(), path));
        }
    }
    found.sort();
    Ok(found)
}

/// Which tests run with a set of requirements: its name without the version.
fn marker(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((client, version)) if version.starts_with(|c: char| c.is_ascii_digit()) => client,
        _ => name,
    }
}

/// What the gateway sends to providers in its own tests, one request a line.
fn bodies() -> Result<PathBuf> {
    let file = target()?.join("clients-bodies.jsonl");
    if file.exists() {
        fs::remove_file(&file).with_context(|| format!("{} could not be removed", file.display()))?;
    }
    cargo(&["test", "--quiet", "-p", "sabir-server", "--test", "gateway", "matrix"])
        .env("SABIR_BODIES", &file)
        .run()?;
    Ok(file)
}

/// OpenAI's OpenAPI document, if it lies beside this tree; who has it elsewhere says so by `SABIR_OPENAPI`.
fn document() -> Result<Option<PathBuf>> {
    let beside = root()?.parent().map(|parent| parent.join("shared").join("openapi"));
    let Some(Ok(folder)) = beside.map(fs::read_dir) else { return Ok(None) };
    let mut found: Vec<PathBuf> = folder.filter_map(|entry| Some(entry.ok()?.path())).collect();
    found.retain(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("openai-") && name.ends_with(".yml")
    });
    Ok(found.into_iter().max())
}

fn pytest(python: &Path, gateway: &Path, modules: Option<&Path>, bodies: Option<&Path>, args: &[&str]) -> Result<()> {
    let mut pytest = tool(python).args(["-m", "pytest", "-p", "no:cacheprovider", SUITES]).args(args);
    if let Some(bodies) = bodies {
        pytest = pytest.env("SABIR_BODIES", bodies);
    }
    if let Some(document) = document()? {
        pytest = pytest.env("SABIR_OPENAPI", document);
    }
    if let Some(modules) = modules {
        pytest = pytest.env("SABIR_NODE_MODULES", modules);
    }
    pytest.env("SABIR_BINARY", gateway).run()
}

/// The folder in which the Node clients are installed; `None` without Node, and then their tests say
/// that they did not run.
fn node(suites: &Path) -> Result<Option<PathBuf>> {
    if !tool("npm").arg("--version").works() {
        return Ok(None);
    }
    let wanted = fs::read_to_string(suites.join("node").join("package.json"))
        .context("the list of Node clients is unreadable")?;
    let folder = target()?.join("clients-node");
    let modules = folder.join("node_modules");
    let stamp = folder.join("installed-package.json");
    if modules.is_dir() && fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(Some(modules));
    }
    fs::create_dir_all(&folder).with_context(|| format!("{} could not be made", folder.display()))?;
    fs::write(folder.join("package.json"), &wanted).context("the list of Node clients could not be copied")?;
    // Versions are named exactly; nothing that a package brings along is run.
    tool("npm")
        .args(["install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"])
        .args(["--prefix", &folder.to_string_lossy()])
        .run()?;
    fs::write(&stamp, wanted).with_context(|| format!("{} could not be written", stamp.display()))?;
    Ok(Some(modules))
}

/// The interpreter of an environment in which the requirements are installed.
pub(crate) fn environment(name: &str, requirements: &Path) -> Result<PathBuf> {
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
    if !usable {
        create(&folder)?;
    }
    install(&python, ["-r", &*requirements.to_string_lossy()])?;
    fs::write(&stamp, wanted).with_context(|| format!("{} could not be written", stamp.display()))?;
    Ok(python)
}

/// Installs into the environment of an interpreter.
pub(crate) fn install<'a>(python: &Path, what: impl IntoIterator<Item = &'a str>) -> Result<()> {
    let quiet = ["install", "--quiet", "--disable-pip-version-check"];
    if tool(python).args(["-m", "pip", "--version"]).works() {
        return tool(python).args(["-m", "pip"]).args(quiet).args(what).run();
    }
    // The system's pip does it from outside.
    tool(host()?).args(["-m", "pip", "--python"]).arg(python).args(quiet).args(what).run()
}

/// Makes an empty environment, with a pip of its own if that can be had.
fn create(folder: &Path) -> Result<()> {
    let host = host()?;
    let venv = || tool(host).args(["-m", "venv", "--clear"]);
    if venv().arg(folder).works() {
        return Ok(());
    }
    // Debian keeps `ensurepip` in a package of its own.
    let root = tool("id").arg("-u").output().is_ok_and(|id| id.trim_ascii() == b"0");
    if root && tool("apt-get").arg("--version").works() {
        let apt = || tool("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args(["-y", "-qq"]);
        let installed = apt().args(["install", "python3-venv"]).works()
            || (apt().arg("update").works() && apt().args(["install", "python3-venv"]).works());
        if installed && venv().arg(folder).works() {
            return Ok(());
        }
    }
    // Without it, the system's pip can still install into the environment from outside.
    if tool(host).args(["-m", "pip", "--version"]).works() {
        return venv().arg("--without-pip").arg(folder).run();
    }
    bail!("`{host} -m venv` does not work here and there is no pip: install python3-venv");
}

fn host() -> Result<&'static str> {
    match ["python3", "python"].into_iter().find(|python| tool(python).arg("--version").works()) {
        Some(python) => Ok(python),
        None => bail!("no Python: the Python suites need CPython as `python3`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_requirements_is_named_after_its_tests() {
        assert_eq!(marker("openai-1.51"), "openai");
        assert_eq!(marker("tamar-0.8.44"), "tamar");
        assert_eq!(marker("model-manager"), "model-manager");
    }
}
