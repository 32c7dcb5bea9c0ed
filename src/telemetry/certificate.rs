//! I/O: the certificate of the HTTP server, read from files that cert-manager or a person replaces.

use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

/// How old the certificate in use may be, compared with the files.
const RECHECK: Duration = Duration::from_secs(10);

/// Why the certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("--metrics-secure needs --metrics-cert-dir, the folder with the files tls.crt and tls.key")]
    NoFolder,
    #[error("cannot read {}", .path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("tls.crt or tls.key is not PEM")]
    NoPem(#[source] pem::Error),
    #[error("tls.crt and tls.key cannot be used")]
    Unusable(#[source] rustls::Error),
}

/// `tls.crt` and `tls.key` of a folder. If the files change, the next connections get the new certificate.
pub struct Certificate {
    folder: PathBuf,
    hasher: RandomState,
    current: Mutex<LoadedCertificate>,
}

struct LoadedCertificate {
    checked: Instant,
    /// Of the files, whether they could be used or not.
    fingerprint: u64,
    acceptor: TlsAcceptor,
}

impl Certificate {
    /// # Errors
    /// If the files cannot be read, or hold no certificate with its key.
    pub fn load(folder: &Path) -> Result<Self, CertificateError> {
        let (folder, hasher) = (folder.to_owned(), RandomState::new());
        let files = read_files(&folder)?;
        let current = LoadedCertificate {
            checked: Instant::now(),
            fingerprint: hasher.hash_one(&files),
            acceptor: acceptor(&files)?,
        };
        Ok(Self { folder, hasher, current: Mutex::new(current) })
    }

    /// With the newest certificate that could be used.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.checked.elapsed() >= RECHECK {
            current.checked = Instant::now();
            if let Err(error) = self.reload(&mut current) {
                let error = anyhow::Error::from(error);
                tracing::warn!("the former certificate of the HTTP server stays in use: {error:#}");
            }
        }
        current.acceptor.clone()
    }

    fn reload(&self, current: &mut LoadedCertificate) -> Result<(), CertificateError> {
        let files = read_files(&self.folder)?;
        let fingerprint = self.hasher.hash_one(&files);
        if fingerprint != current.fingerprint {
            current.fingerprint = fingerprint;
            current.acceptor = acceptor(&files)?;
            tracing::info!("the HTTP server has a new certificate");
        }
        Ok(())
    }
}

/// The certificate chain, and the key.
fn read_files(folder: &Path) -> Result<[Vec<u8>; 2], CertificateError> {
    let read = |name| {
        let path = folder.join(name);
        std::fs::read(&path).map_err(|source| CertificateError::Unreadable { path, source })
    };
    Ok([read("tls.crt")?, read("tls.key")?])
}

fn acceptor([chain, key]: &[Vec<u8>; 2]) -> Result<TlsAcceptor, CertificateError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
    let chain = chain.map_err(CertificateError::NoPem)?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(CertificateError::NoPem)?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key));
    Ok(TlsAcceptor::from(Arc::new(config.map_err(CertificateError::Unusable)?)))
}
