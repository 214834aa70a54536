//! Running other programs from the root of the repository.
//!
//! Invariant: a program that fails is an error that names the whole command line.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

/// The root of the repository.
pub(crate) fn root() -> Result<PathBuf> {
    // Asked at run time: worktrees that share a target folder also share this program.
    #[expect(clippy::disallowed_methods, reason = "cargo's own variable, not configuration")]
    let manifest = env::var_os("CARGO_MANIFEST_DIR");
    match manifest.as_deref().map(Path::new).and_then(Path::parent) {
        Some(root) => Ok(root.to_owned()),
        None => env::current_dir().context("the current folder is gone"),
    }
}

/// The target folder: the one in which this program was built.
pub(crate) fn target() -> Result<PathBuf> {
    let exe = env::current_exe().context("this program's own path is not known")?;
    match exe.parent().and_then(Path::parent) {
        Some(target) => Ok(target.to_owned()),
        None => bail!("{} is not in a target folder", exe.display()),
    }
}

/// Where cargo puts the gateway's binary, for a profile's folder (`debug` or `release`).
pub(crate) fn binary(profile: &str) -> Result<PathBuf> {
    Ok(target()?.join(profile).join(format!("sabir{}", env::consts::EXE_SUFFIX)))
}

/// A command, run from the root of the repository.
#[derive(Debug)]
pub(crate) struct Tool(Command);

/// Any program.
pub(crate) fn tool(program: impl AsRef<OsStr>) -> Tool {
    Tool(Command::new(program))
}

/// The `cargo` on the path.
pub(crate) fn cargo(args: &[&str]) -> Tool {
    tool("cargo").args(args)
}

impl Tool {
    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.0.arg(arg);
        self
    }

    pub(crate) fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.0.args(args);
        self
    }

    pub(crate) fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(key, value);
        self
    }

    /// Runs it with this terminal; an exit code other than zero is an error.
    pub(crate) fn run(mut self) -> Result<()> {
        let line = self.line();
        println!("$ {line}");
        let status = self.0.current_dir(root()?).status().with_context(|| format!("`{line}` could not be started"))?;
        if !status.success() {
            bail!("`{line}` failed: {status}");
        }
        Ok(())
    }

    /// Runs it silently: whether it could be started and ended well.
    pub(crate) fn works(mut self) -> bool {
        let Ok(root) = root() else { return false };
        let command = self.0.current_dir(root).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    /// What it printed, if it ended well.
    pub(crate) fn output(mut self) -> Result<Vec<u8>> {
        let line = self.line();
        let output = self.0.current_dir(root()?).stdin(Stdio::null()).output();
        let output = output.with_context(|| format!("`{line}` could not be started"))?;
        if !output.status.success() {
            bail!("`{line}` failed: {}", output.status);
        }
        Ok(output.stdout)
    }

    fn line(&self) -> String {
        let mut line = self.0.get_program().to_string_lossy().into_owned();
        for arg in self.0.get_args() {
            line.push(' ');
            line.push_str(&arg.to_string_lossy());
        }
        line
    }
}
