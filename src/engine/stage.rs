//! Stage (temporary).
use super::launch::Launch;
use libcontainer::container::builder::ContainerBuilder;
use libcontainer::syscall::syscall::SyscallType;
use serde::{Deserialize, Serialize};
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::process::{Command, ExitCode, Stdio};

pub const CREATE: &str = "stage-create";

#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct CreateError {
    message: String,
    code: u8,
}
impl CreateError {
    pub fn code(&self) -> u8 {
        self.code
    }
}

#[derive(Serialize, Deserialize)]
enum Answer {
    Pid(i32),
    Error(String),
}

pub fn create(launch: &Launch) -> Result<i32, CreateError> {
    let fail = |error: io::Error| CreateError {
        message: error.to_string(),
        code: 125,
    };
    let input = crate::sys::memfd::sealed(
        "launch",
        &serde_json::to_vec(launch).map_err(|e| fail(e.into()))?,
    )
    .map_err(fail)?;
    let (mut reader, writer) = io::pipe().map_err(fail)?;
    let mut child = Command::new("/proc/self/exe")
        .arg(CREATE)
        .env_clear()
        .stdin(Stdio::from(input))
        .stdout(Stdio::from(writer))
        .stderr(Stdio::null())
        .spawn()
        .map_err(fail)?;
    let mut text = Vec::new();
    reader.read_to_end(&mut text).map_err(fail)?;
    let _ = child.wait();
    match serde_json::from_slice(&text) {
        Ok(Answer::Pid(pid)) => Ok(pid),
        Ok(Answer::Error(message)) => Err(CreateError { message, code: 127 }),
        Err(e) => Err(CreateError {
            message: format!("stage died: {e} {}", String::from_utf8_lossy(&text)),
            code: 125,
        }),
    }
}

pub fn stage_main() -> ExitCode {
    let answer = match run() {
        Ok(pid) => Answer::Pid(pid),
        Err(e) => Answer::Error(format!("{e:#}")),
    };
    let _ = answer;
    ExitCode::SUCCESS
}

fn run() -> anyhow::Result<i32> {
    let mut out = std::fs::File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let result = inner();
    let answer = match &result {
        Ok(pid) => Answer::Pid(*pid),
        Err(e) => Answer::Error(format!("{e:#}")),
    };
    out.write_all(&serde_json::to_vec(&answer)?)?;
    result
}

fn inner() -> anyhow::Result<i32> {
    use crate::sys::mount::{Depth, Propagation};
    let mut text = Vec::new();
    io::stdin().read_to_end(&mut text)?;
    let launch: Launch = serde_json::from_slice(&text)?;
    crate::sys::mount::unshare_mounts()?;
    crate::sys::mount::set_propagation(std::path::Path::new("/"), Propagation::Slave, Depth::Tree)?;
    crate::sys::overlay::mount_overlay(&(&launch.rootfs).into(), &launch.bundle.join("rootfs"))?;
    let root = crate::sys::path::open_root(&launch.bundle.join("rootfs"))?;
    let user = crate::image::user::resolve(root.as_fd(), &launch.user.user)?;
    let launch = launch.with_user(&user)?;
    for source in &launch.sources {
        if let super::launch::SourceKind::Beneath(p) = &source.kind {
            let from = source.volume.join(p);
            crate::sys::mount::bind(&from, &source.at, Depth::Tree)?;
        }
    }
    let open = |p: &std::path::Path| std::fs::File::options().read(true).write(true).open(p);
    let null = std::fs::File::options().read(true).open("/dev/null")?;
    nix::unistd::dup2_stdin(&null)?;
    nix::unistd::dup2_stdout(open(&launch.stdout)?)?;
    nix::unistd::dup2_stderr(open(&launch.stderr)?)?;
    launch.spec.save(launch.bundle.join("config.json"))?;
    let cg = crate::sys::cgroup::Cgroups::detect()?;
    cg.group(std::path::Path::new(&launch.cgroup))?.create()?;
    let oci = launch.bundle.join("oci");
    std::fs::create_dir_all(&oci)?;
    let mut c = ContainerBuilder::new(launch.id.to_string(), SyscallType::default())
        .with_root_path(&oci)?
        .as_init(&launch.bundle)
        .with_systemd(false)
        .with_detach(true)
        .as_sibling(true)
        .build()?;
    let pid = c.pid().map(|p| p.as_raw()).unwrap_or(0);
    c.start()?;
    Ok(pid)
}
