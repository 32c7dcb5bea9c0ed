//! The keys and certificates of one cluster.

use std::path::PathBuf;

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use crate::home::Home;

/// Files, all PEM.
#[derive(Debug)]
pub(crate) struct Pki {
    /// The authority that signed the serving certificate.
    pub(crate) authority: PathBuf,
    pub(crate) serving_certificate: PathBuf,
    pub(crate) serving_key: PathBuf,
    /// Signs the tokens of ServiceAccounts.
    pub(crate) account_key: PathBuf,
    /// Verifies the tokens of ServiceAccounts.
    pub(crate) account_public_key: PathBuf,
}

impl Pki {
    /// Creates new keys and certificates. With elliptic curves this takes a few milliseconds.
    pub(crate) fn create(home: &Home) -> Result<Pki> {
        let serving = serving().context("failed to make the serving certificate")?;
        let account = KeyPair::generate().context("failed to make the key of service account tokens")?;
        Ok(Pki {
            authority: home.write("ca.crt", &serving.authority)?,
            serving_certificate: home.write("serving.crt", &serving.certificate)?,
            serving_key: home.write("serving.key", &serving.key)?,
            account_key: home.write("service-account.key", &account.serialize_pem())?,
            account_public_key: home.write("service-account.pub", &account.public_key_pem())?,
        })
    }
}

struct Serving {
    authority: String,
    certificate: String,
    key: String,
}

fn serving() -> Result<Serving, rcgen::Error> {
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, "cluster for tests");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let authority_key = KeyPair::generate()?;
    let authority_pem = authority.self_signed(&authority_key)?.pem();

    let names = ["127.0.0.1", "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"];
    let mut leaf = CertificateParams::new(names.map(String::from))?;
    leaf.distinguished_name.push(DnType::CommonName, "kube-apiserver");
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let certificate = leaf.signed_by(&key, &Issuer::new(authority, authority_key))?.pem();
    Ok(Serving { authority: authority_pem, certificate, key: key.serialize_pem() })
}
