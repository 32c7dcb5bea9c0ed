// The definitions of Flux's custom resources for tests, from the modules that have them: see ../../../README.md. The modules are only
// downloaded. `go mod tidy` would remove them, because no package here imports them.
module cluster.test/kustomize-controller/files

go 1.26.0

require (
	github.com/fluxcd/helm-controller v1.6.3
	github.com/fluxcd/kustomize-controller v1.9.4
	github.com/fluxcd/source-controller v1.9.1
)
