//! `image`, `images`, `rmi`, and what needs no noun.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::registry::{Pull, Push};
use super::{Filter, Format, Rows};

/// Commands about images that need no noun.
#[derive(Debug, Subcommand)]
pub enum ImageCommand {
    /// Load images from an archive or a directory
    ///
    /// Reads an archive of docker or of OCI, compressed or not, or a directory in OCI's layout.
    Load(Load),
    /// Make an image from a root file system in a tar archive
    Import(Import),
    /// Give an image more names
    Tag(Tag),
    /// Fetch images from registries
    ///
    /// Layers come side by side, and each is unpacked while it comes. A pull that was ended goes on
    /// where it was; two pulls of one image share the work.
    Pull(Pull),
    /// Send an image to a registry
    ///
    /// Layers that the registry has are not sent again; an image that it has whole keeps its digest.
    Push(Push),
    /// Write images into an archive or a directory
    Save(Save),
    /// Show the steps that made an image
    History(History),
}

/// Commands about images.
#[derive(Debug, Subcommand)]
pub enum ImageGroup {
    /// List images
    #[command(visible_alias = "list")]
    Ls(ListImages),
    /// Show all that is known of images
    Inspect(InspectImages),
    /// Remove images
    #[command(visible_alias = "remove")]
    Rm(RemoveImages),
    /// Exit with 0 if there is such an image, with 1 if not
    Exists(ImageExists),
    /// Remove images that nothing uses
    ///
    /// Without --all, only those without a name. Layers that another image has stay.
    Prune(PruneImages),
    #[command(flatten)]
    Plain(ImageCommand),
}

/// Arguments of `images`.
#[derive(Debug, Args)]
#[command(mut_arg("quiet", |arg| arg.help("Print the ids alone")))]
pub struct ListImages {
    /// Only images of this name
    #[arg(value_name = "IMAGE")]
    pub name: Option<String>,
    #[command(flatten)]
    pub rows: Rows,
    /// Print ids in full
    #[arg(long)]
    pub no_trunc: bool,
    /// Show the digests
    #[arg(long)]
    pub digests: bool,
    /// Only images that meet KEY=VALUE: id, reference, dangling, label
    #[arg(short, long = "filter", value_name = "FILTER", value_parser = Filter::parse)]
    pub filters: Vec<Filter>,
    /// Order of the list
    #[arg(long, value_enum, default_value_t = ImageSort::Created, value_name = "KEY")]
    pub sort: ImageSort,
    #[arg(short, long, hide = true)]
    all: bool,
}

/// What a list of images is ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ImageSort {
    Created,
    Id,
    Repository,
    Size,
    Tag,
}

/// Arguments of `load`.
#[derive(Debug, Args)]
pub struct Load {
    /// Archive or directory; without it, standard input
    #[arg(short, long, value_name = "PATH")]
    pub input: Option<PathBuf>,
    /// Print no progress
    #[arg(short, long)]
    pub quiet: bool,
}

/// Arguments of `save`.
#[derive(Debug, Args)]
pub struct Save {
    /// Images, by name or id
    #[arg(required = true, value_name = "IMAGE")]
    pub images: Vec<String>,
    /// Where to write; without it, standard output
    #[arg(short, long, value_name = "PATH")]
    pub output: Option<PathBuf>,
    /// Form of what is written
    #[arg(long, value_enum, default_value_t = SaveFormat::DockerArchive, value_name = "FORMAT")]
    pub format: SaveFormat,
    /// Print no progress
    #[arg(short, long)]
    pub quiet: bool,
    #[arg(short, long, hide = true)]
    multi_image_archive: bool,
}

/// The form of saved images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SaveFormat {
    DockerArchive,
    OciArchive,
    OciDir,
}

/// Arguments of `history`.
#[derive(Debug, Args)]
pub struct History {
    /// The image, by name or id
    #[arg(value_name = "IMAGE")]
    pub image: String,
    /// Print as `json`, or through a Go template, `table TEMPLATE` for one with headings
    #[arg(long, value_name = "FORMAT", value_parser = Format::parse)]
    pub format: Option<Format>,
    /// Print the ids alone
    #[arg(short, long)]
    pub quiet: bool,
    /// Print ids and commands in full
    #[arg(long)]
    pub no_trunc: bool,
    /// Print sizes and times as people read them
    #[arg(short = 'H', long, num_args = 0..=1, require_equals = true, default_value_t = true, default_missing_value = "true", action = clap::ArgAction::Set, value_name = "BOOL", hide_possible_values = true)]
    pub human: bool,
}

/// Arguments of `image prune`.
#[derive(Debug, Args)]
pub struct PruneImages {
    /// Images with names too, if no container uses them
    #[arg(short, long)]
    pub all: bool,
    /// Ask nothing
    #[arg(short, long)]
    pub force: bool,
    /// Only images that meet KEY=VALUE: label, reference, dangling
    #[arg(long = "filter", value_name = "FILTER", value_parser = Filter::parse)]
    pub filters: Vec<Filter>,
}

/// Arguments of `import`.
#[derive(Debug, Args)]
pub struct Import {
    /// Tar archive, or `-` for standard input
    #[arg(value_name = "FILE|-")]
    pub path: PathBuf,
    /// Name of the image
    #[arg(value_name = "NAME")]
    pub reference: Option<String>,
    /// Set something in the image: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME, WORKDIR
    #[arg(short, long = "change", value_name = "INSTRUCTION")]
    pub changes: Vec<String>,
    /// Comment in the image's history
    #[arg(short, long)]
    pub message: Option<String>,
    /// Print no progress
    #[arg(short, long)]
    pub quiet: bool,
}

/// Arguments of `tag`.
#[derive(Debug, Args)]
pub struct Tag {
    /// The image, by name or id
    #[arg(value_name = "IMAGE")]
    pub image: String,
    /// The new names
    #[arg(required = true, value_name = "NAME")]
    pub names: Vec<String>,
}

/// Arguments of `rmi`.
#[derive(Debug, Args)]
pub struct RemoveImages {
    /// Images, by name or id
    #[arg(value_name = "IMAGE", required_unless_present = "all")]
    pub images: Vec<String>,
    /// All images
    #[arg(short, long)]
    pub all: bool,
    /// Remove containers of the images too
    #[arg(short, long)]
    pub force: bool,
    /// No error for images that do not exist
    #[arg(short, long)]
    pub ignore: bool,
    #[arg(long, hide = true)]
    no_prune: bool,
}

/// Arguments of `image inspect`.
#[derive(Debug, Args)]
pub struct InspectImages {
    /// Images, by name or id
    #[arg(required = true, value_name = "IMAGE")]
    pub names: Vec<String>,
    /// Print as `json`, or through a Go template
    #[arg(short, long, value_name = "FORMAT", value_parser = Format::parse)]
    pub format: Option<Format>,
}

/// Arguments of `image exists`.
#[derive(Debug, Args)]
pub struct ImageExists {
    /// The image, by name or id
    #[arg(value_name = "IMAGE")]
    pub name: String,
}
