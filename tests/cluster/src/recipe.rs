//! The Go modules that are built, and how.

use anyhow::{Context, Result};

use crate::{assets::PROGRAMS, version::Version};

/// A Go module of this package: which programs it pins, and how they are built. The library contains the module, so a test binary can
/// build it without the repository.
#[derive(Debug)]
pub(crate) struct Module {
    /// The name in messages.
    pub(crate) what: &'static str,
    pub(crate) go_mod: &'static str,
    pub(crate) go_sum: &'static str,
    /// Go files of our own, with their names. Most modules only pin programs of others.
    pub(crate) sources: &'static [(&'static str, &'static str)],
    /// The module whose version is the version of the result.
    pub(crate) versioned_by: &'static str,
    pub(crate) packages: &'static [&'static str],
    /// The program of each package.
    pub(crate) programs: &'static [&'static str],
    pub(crate) built_as: Option<(&'static str, &'static str)>,
    /// How long the build takes, for people.
    pub(crate) takes: &'static str,
    /// Build tags.
    pub(crate) tags: &'static str,
    /// Values that the linker writes into the program: a variable, a module, and which part of the module's version.
    pub(crate) stamps: &'static [(&'static str, &'static str, Part)],
    /// Files that are put beside the programs.
    pub(crate) files: Option<&'static Files>,
}

/// Files of Go modules that are downloaded and not built, for example definitions of custom resources.
#[derive(Debug)]
pub(crate) struct Files {
    /// Pins the modules. If the go.mod of the programs named them, their requirements would change the versions of the libraries.
    pub(crate) go_mod: &'static str,
    pub(crate) go_sum: &'static str,
    /// A module and the path of a file in it. The file keeps its name.
    pub(crate) paths: &'static [(&'static str, &'static str)],
}

impl Files {
    /// The names of the files.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.paths.iter().filter_map(|(_, path)| path.rsplit('/').next())
    }
}

/// A part of a version like `v1.37.2`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    Whole,
    Major,
    Minor,
    /// These words instead of a part of the version.
    Words(&'static str),
}

/// The control plane.
pub(crate) const CONTROL_PLANE: Module = Module {
    what: "the control plane",
    go_mod: include_str!("../tools/go.mod"),
    go_sum: include_str!("../tools/go.sum"),
    sources: &[],
    versioned_by: "k8s.io/kubernetes",
    packages: &[
        "go.etcd.io/etcd/server/v3",
        "k8s.io/kubernetes/cmd/kube-apiserver",
        "k8s.io/kubernetes/cmd/kube-controller-manager",
        "k8s.io/kubernetes/cmd/kubectl",
    ],
    programs: &PROGRAMS,
    // Go names the program `server`, because etcd's package is the root of its module.
    built_as: Some(("server", "etcd")),
    takes: "usually 7 to 10 minutes on 2 cores",
    tags: "",
    stamps: &[
        ("k8s.io/component-base/version.gitVersion", "k8s.io/kubernetes", Part::Whole),
        ("k8s.io/component-base/version.gitMajor", "k8s.io/kubernetes", Part::Major),
        ("k8s.io/component-base/version.gitMinor", "k8s.io/kubernetes", Part::Minor),
        ("k8s.io/component-base/version.gitTreeState", "k8s.io/kubernetes", Part::Words("clean")),
    ],
    files: None,
};

impl Module {
    /// The packages that these programs are built from.
    pub(crate) fn packages_of(&self, programs: &[&str]) -> Vec<&'static str> {
        let of = self.packages.iter().zip(self.programs);
        of.filter(|(_, program)| programs.contains(program)).map(|(package, _)| *package).collect()
    }
}

/// A [`Module`] that has been read.
#[derive(Debug)]
pub(crate) struct Recipe {
    pub(crate) module: &'static Module,
    /// For example `v1.37.2`.
    pub(crate) version: String,
    /// The oldest Go that can build it.
    pub(crate) go: Version,
    pub(crate) flags: Vec<String>,
}

impl Recipe {
    /// Reads `module`.
    ///
    /// # Errors
    /// If its go.mod lacks a required version.
    pub(crate) fn of(module: &'static Module) -> Result<Recipe> {
        let Module { what, go_mod, .. } = module;
        let version = version_of(go_mod, module.versioned_by)
            .with_context(|| format!("go.mod of {what} requires no {}", module.versioned_by))?;
        let go = version_of(go_mod, "go").and_then(Version::parse);
        let go = go.with_context(|| format!("go.mod of {what} names no version of Go"))?;
        let mut link = "-s -w".to_owned();
        for (variable, of, part) in module.stamps {
            let version = version_of(go_mod, of).with_context(|| format!("{what} requires no {of}"))?;
            link.push_str(&format!(" -X {variable}={}", part.of(version)));
        }
        let mut flags = vec!["-mod=readonly".into(), "-trimpath".into(), "-ldflags".into(), link];
        if !module.tags.is_empty() {
            flags.push(format!("-tags={}", module.tags));
        }
        Ok(Recipe { module, version: version.to_owned(), go, flags })
    }

    /// The name of the result in the cache. Another recipe or another kind of machine has another name.
    pub(crate) fn key(&self) -> String {
        let Module { go_mod, go_sum, sources, files, .. } = self.module;
        let sources = sources.iter().flat_map(|(name, text)| [*name, *text]);
        let pins = files.iter().flat_map(|files| [files.go_mod, files.go_sum]);
        let paths = files.iter().flat_map(|files| files.paths).flat_map(|(module, path)| [*module, *path]);
        let parts = [*go_mod, *go_sum].into_iter().chain(sources).chain(pins).chain(paths);
        let hash = fnv1a(parts.chain(self.flags.iter().map(String::as_str)));
        format!("{}-{hash:016x}-{}-{}", self.version, std::env::consts::OS, std::env::consts::ARCH)
    }
}

impl Part {
    fn of(self, version: &str) -> &str {
        let mut numbers = version.trim_start_matches('v').split('.');
        match self {
            Part::Whole => version,
            Part::Major => numbers.next().unwrap_or_default(),
            Part::Minor => numbers.nth(1).unwrap_or_default(),
            Part::Words(words) => words,
        }
    }
}

/// The word after `name` in a go.mod.
fn version_of<'a>(go_mod: &'a str, name: &str) -> Option<&'a str> {
    go_mod.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip_while(|word| *word == "require");
        (words.next() == Some(name)).then(|| words.next()).flatten()
    })
}

/// FNV-1a with 64 bits. The hash of the standard library may change with the compiler, and then the name of the folder would change.
fn fnv1a<'a>(parts: impl Iterator<Item = &'a str>) -> u64 {
    // A byte that no text contains separates the parts.
    let bytes = parts.flat_map(|part| part.bytes().chain([0xff]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_to_build_comes_from_go_mod() {
        let recipe = Recipe::of(&CONTROL_PLANE).unwrap();
        assert!(recipe.version.starts_with("v1."), "{recipe:?}");
        assert!(recipe.key().starts_with(&recipe.version));
        assert!(recipe.go >= Version(1, 26, 0));
        for package in CONTROL_PLANE.packages {
            assert!(
                CONTROL_PLANE.go_mod.contains(&format!("\t{package}\n")),
                "{package} is no tool of go.mod"
            );
        }
        let link = recipe.flags.last().unwrap();
        let version = recipe.version.split('.').nth(1).unwrap();
        assert!(link.contains(&format!("version.gitMinor={version} ")), "{link}");
    }

    #[test]
    fn the_hash_of_a_recipe_is_fnv1a() {
        assert_eq!(fnv1a(std::iter::empty()), 0xcbf2_9ce4_8422_2325);
        let differs = fnv1a(["ab", "c"].into_iter()) != fnv1a(["a", "bc"].into_iter());
        assert!(differs, "the hash must separate the parts");
    }
}
