//! Programs for tests that do not belong to the control plane.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use crate::{
    environment::{self, TOOLS},
    go::Go,
    lock::BuildLock,
    recipe::{Files, Module, Part, Recipe},
};

/// A program that is built from its Go module, once for each version, into the user's cache folder.
///
/// ```no_run
/// # fn main() -> anyhow::Result<()> {
/// let helm = cluster::Tool::Helm4.path()?;
/// let status = std::process::Command::new(helm).arg("version").status()?;
/// # drop(status); Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// Helm 4.
    Helm4,
    /// Helm 3.
    Helm3,
    /// Unit tests of charts. It is a plugin of Helm that also runs as a program of its own.
    HelmUnittest,
    /// Writes the table of values in a chart's README.
    HelmDocs,
    /// Checks manifests with schemas.
    Kubeconform,
    /// Checks manifests for good practice.
    KubeScore,
    /// Prometheus' tool for rules and their tests.
    Promtool,
    /// The status of objects according to kstatus. Standard input has a JSON text on each line, and standard output a word on each line.
    Kstatus,
    /// Flux's controller that applies and prunes the manifests of a Kustomization. Beside it are the definitions of its custom resource and
    /// of those that our examples use: [`Tool::file`].
    KustomizeController,
}

impl Tool {
    pub const ALL: [Tool; 9] = [
        Tool::Helm4,
        Tool::Helm3,
        Tool::HelmUnittest,
        Tool::HelmDocs,
        Tool::Kubeconform,
        Tool::KubeScore,
        Tool::Promtool,
        Tool::Kstatus,
        Tool::KustomizeController,
    ];

    /// Whether `cargo test` needs the tool. The others have a target of the Makefile.
    pub fn is_for_every_run(self) -> bool {
        self != Tool::KustomizeController
    }

    /// The name, for example `helm-4`.
    pub fn name(self) -> &'static str {
        self.module().what
    }

    /// The tool with this name.
    pub fn named(name: &str) -> Option<Tool> {
        Tool::ALL.into_iter().find(|tool| tool.name() == name)
    }

    /// The path of the program: in the folder `CLUSTER_TOOLS` if that has a program of this name, otherwise in the user's cache. A missing
    /// program is built first. Progress goes to standard error.
    ///
    /// # Errors
    /// If the program is missing and there is no Go, or the build fails.
    pub fn path(self) -> Result<PathBuf> {
        // This does not use `eprintln!`, because a test captures that, and a build of some minutes would be silent.
        self.locate_or_build(&mut |line| {
            let _nobody_reads = writeln!(io::stderr(), "cluster: {line}");
        })
    }

    /// Like [`Tool::path`], but `progress` gets the progress. Two processes do not build at once: the second waits for the first.
    ///
    /// # Errors
    /// As for [`Tool::path`].
    pub fn locate_or_build(self, progress: &mut dyn FnMut(&str)) -> Result<PathBuf> {
        let given = environment::tools().map(|folder| folder.join(self.name()));
        if let Some(given) = given.filter(|file| environment::is_executable(file)) {
            // The path must be absolute, because the program may run in another working directory.
            return given.canonicalize().with_context(|| format!("failed to resolve {TOOLS}"));
        }
        let recipe = Recipe::of(self.module())?;
        let root = environment::cache("go-tools")?;
        let dir = root.join(format!("{}-{}", self.name(), recipe.key()));
        if let Some(program) = self.built_in(&dir) {
            return Ok(program);
        }
        let Some(go) = Go::find() else {
            bail!(
                "{0} is needed, and it is neither built nor is there Go to build it: install Go {1} or newer \
                 (https://go.dev/dl), or set {TOOLS} to a folder that has {0} {2}",
                self.name(),
                recipe.go,
                recipe.version
            );
        };
        let _lock = BuildLock::acquire(&root, "tools for tests", progress)?;
        // Another process may have built while this one waited.
        if self.built_in(&dir).is_none() {
            go.build(&recipe, recipe.module.programs, &root, &dir, progress)?;
        }
        self.built_in(&dir).with_context(|| format!("{} was built and is not there", self.name()))
    }

    /// A file that comes with the program, for example a definition of a custom resource.
    ///
    /// # Errors
    /// As for [`Tool::path`], and if there is no such file.
    pub fn file(self, name: &str) -> Result<PathBuf> {
        let file = self.path()?.with_file_name(name);
        if !file.is_file() {
            bail!("{} is not beside {}: it should be {}", name, self.name(), file.display());
        }
        Ok(file)
    }

    fn built_in(self, dir: &Path) -> Option<PathBuf> {
        let program = dir.join(self.module().programs.first()?);
        let mut files = self.module().files.iter().flat_map(|files| files.names());
        (environment::is_executable(&program) && files.all(|name| dir.join(name).is_file()))
            .then_some(program)
    }

    pub(crate) fn module(self) -> &'static Module {
        match self {
            Tool::Helm4 => &HELM_4,
            Tool::Helm3 => &HELM_3,
            Tool::HelmUnittest => &HELM_UNITTEST,
            Tool::HelmDocs => &HELM_DOCS,
            Tool::Kubeconform => &KUBECONFORM,
            Tool::KubeScore => &KUBE_SCORE,
            Tool::Promtool => &PROMTOOL,
            Tool::Kstatus => &KSTATUS,
            Tool::KustomizeController => &KUSTOMIZE_CONTROLLER,
        }
    }
}

/// The module in `tools/NAME`, whose only package is a program.
macro_rules! module {
    ($name:literal, $versioned_by:literal, $package:literal, $program:literal, $takes:literal, $stamps:expr) => {
        Module {
            what: $name,
            go_mod: include_str!(concat!("../tools/", $name, "/go.mod")),
            go_sum: include_str!(concat!("../tools/", $name, "/go.sum")),
            sources: &[],
            versioned_by: $versioned_by,
            packages: &[$package],
            programs: &[$program],
            built_as: None,
            takes: $takes,
            tags: "",
            stamps: $stamps,
            files: None,
        }
    };
}

const HELM_4: Module = module!(
    "helm-4",
    "helm.sh/helm/v4",
    "helm.sh/helm/v4/cmd/helm",
    "helm",
    "some 3 minutes on 2 cores",
    &[("helm.sh/helm/v4/internal/version.version", "helm.sh/helm/v4", Part::Whole)]
);
// Without these values Helm 3 reports Kubernetes 1.20 as its version, and charts refuse that.
const HELM_3: Module = module!(
    "helm-3",
    "helm.sh/helm/v3",
    "helm.sh/helm/v3/cmd/helm",
    "helm",
    "some 3 minutes on 2 cores",
    &[
        ("helm.sh/helm/v3/internal/version.version", "helm.sh/helm/v3", Part::Whole),
        ("helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor", "k8s.io/client-go", Part::Words("1")),
        ("helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor", "k8s.io/client-go", Part::Minor),
        ("helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor", "k8s.io/client-go", Part::Words("1")),
        ("helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor", "k8s.io/client-go", Part::Minor),
    ]
);
const HELM_UNITTEST: Module = module!(
    "helm-unittest",
    "github.com/helm-unittest/helm-unittest",
    "github.com/helm-unittest/helm-unittest/cmd/helm-unittest",
    "helm-unittest",
    "a minute or two on 2 cores",
    &[]
);
const HELM_DOCS: Module = module!(
    "helm-docs",
    "github.com/norwoodj/helm-docs",
    "github.com/norwoodj/helm-docs/cmd/helm-docs",
    "helm-docs",
    "a minute or two on 2 cores",
    &[("main.version", "github.com/norwoodj/helm-docs", Part::Whole)]
);
const KUBECONFORM: Module = module!(
    "kubeconform",
    "github.com/yannh/kubeconform",
    "github.com/yannh/kubeconform/cmd/kubeconform",
    "kubeconform",
    "a minute at most",
    &[("main.version", "github.com/yannh/kubeconform", Part::Whole)]
);
const KUBE_SCORE: Module = module!(
    "kube-score",
    "github.com/zegl/kube-score",
    "github.com/zegl/kube-score/cmd/kube-score",
    "kube-score",
    "a minute or two on 2 cores",
    &[("main.version", "github.com/zegl/kube-score", Part::Whole)]
);
const PROMTOOL: Module = Module {
    // This tag leaves out service discovery with its clients of thirty clouds, which would take a quarter of an hour to build.
    tags: "remove_all_sd",
    ..module!(
        "promtool",
        "github.com/prometheus/prometheus",
        "github.com/prometheus/prometheus/cmd/promtool",
        "promtool",
        "some 2 minutes on 2 cores",
        &[]
    )
};
// A library with a small program of our own. Its newest version requires Go 1.27 and has the same code for the status.
const KSTATUS: Module = Module {
    what: "kstatus",
    go_mod: include_str!("../tools/kstatus/go.mod"),
    go_sum: include_str!("../tools/kstatus/go.sum"),
    sources: &[("main.go", include_str!("../tools/kstatus/main.go"))],
    versioned_by: "github.com/fluxcd/cli-utils",
    tags: "",
    packages: &["."],
    programs: &["kstatus"],
    built_as: None,
    takes: "a minute at most",
    stamps: &[],
    files: None,
};
// 1.10 requires a newer Go than the control plane.
const KUSTOMIZE_CONTROLLER: Module = Module {
    files: Some(&FLUX_DEFINITIONS),
    ..module!(
        "kustomize-controller",
        "github.com/fluxcd/kustomize-controller",
        "github.com/fluxcd/kustomize-controller",
        "kustomize-controller",
        "some 7 minutes on 2 cores",
        &[]
    )
};
const FLUX_DEFINITIONS: Files = Files {
    go_mod: include_str!("../tools/kustomize-controller/files/go.mod"),
    go_sum: include_str!("../tools/kustomize-controller/files/go.sum"),
    paths: &[
        (
            "github.com/fluxcd/kustomize-controller",
            "config/crd/bases/kustomize.toolkit.fluxcd.io_kustomizations.yaml",
        ),
        (
            "github.com/fluxcd/source-controller",
            "config/crd/bases/source.toolkit.fluxcd.io_gitrepositories.yaml",
        ),
        // The controller does not begin to work without these two.
        ("github.com/fluxcd/source-controller", "config/crd/bases/source.toolkit.fluxcd.io_buckets.yaml"),
        (
            "github.com/fluxcd/source-controller",
            "config/crd/bases/source.toolkit.fluxcd.io_ocirepositories.yaml",
        ),
        ("github.com/fluxcd/helm-controller", "config/crd/bases/helm.toolkit.fluxcd.io_helmreleases.yaml"),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_is_pinned_by_its_module() {
        for tool in Tool::ALL {
            let module = tool.module();
            let recipe = Recipe::of(module).unwrap();
            assert!(recipe.version.starts_with('v'), "{recipe:?}");
            for package in module.packages.iter().filter(|package| **package != ".") {
                let pinned = module.go_mod.lines().any(|line| line == format!("tool {package}"));
                assert!(pinned, "{package} is no tool of {}'s go.mod", tool.name());
            }
            assert_eq!(Tool::named(tool.name()), Some(tool));
        }
    }

    #[test]
    fn the_definitions_of_flux_have_the_version_of_the_controller() {
        let version = Recipe::of(&KUSTOMIZE_CONTROLLER).unwrap().version;
        let line = format!("\tgithub.com/fluxcd/kustomize-controller {version}");
        assert!(FLUX_DEFINITIONS.go_mod.lines().any(|pinned| pinned == line), "{line} is not in its go.mod");
        for (module, _) in FLUX_DEFINITIONS.paths {
            assert!(FLUX_DEFINITIONS.go_mod.contains(&format!("\t{module} v")), "{module}");
        }
    }
}
