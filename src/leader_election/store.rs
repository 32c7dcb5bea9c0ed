//! I/O: reads and writes the Lease at the API server.

use std::future::Future;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::PostParams;
use kube::core::Status;
use kube::{Api, Client};

use crate::api::FIELD_MANAGER;

/// Access to one Lease. Every method sends one request and never repeats it.
pub trait LeaseStore: Send + Sync + 'static {
    fn read(&self) -> impl Future<Output = Result<Lease, LeaseError>> + Send;
    /// Replaces the version that `lease` names. If it names none, creates the Lease.
    fn write(&self, lease: Lease) -> impl Future<Output = Result<Lease, LeaseError>> + Send;
}

#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    #[error("the Lease does not exist")]
    NotFound,
    /// Nothing was written.
    #[error("another process wrote the Lease at the same time")]
    Conflict,
    #[error("{}", .0.message)]
    Forbidden(Box<Status>),
    #[error("{}", .0.message)]
    Refused(Box<Status>),
    /// The request may have taken effect.
    #[error("no answer within {:.1} s", .0.as_secs_f64())]
    Timeout(Duration),
    /// The request may have taken effect.
    #[error(transparent)]
    NoAnswer(kube::Error),
}

#[derive(Clone, Debug)]
pub struct Leases {
    leases: Api<Lease>,
    name: String,
}

impl Leases {
    /// The client must not repeat requests by itself.
    #[must_use]
    pub fn new(client: Client, namespace: &str, name: &str) -> Self {
        Self { leases: Api::namespaced(client, namespace), name: name.to_owned() }
    }
}

impl LeaseStore for Leases {
    async fn read(&self) -> Result<Lease, LeaseError> {
        self.leases.get(&self.name).await.map_err(lease_error)
    }

    async fn write(&self, lease: Lease) -> Result<Lease, LeaseError> {
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        if lease.metadata.resource_version.is_some() {
            return self.leases.replace(&self.name, &params, &lease).await.map_err(lease_error);
        }
        match self.leases.create(&params, &lease).await {
            // The namespace does not exist.
            Err(kube::Error::Api(status)) if status.code == 404 => Err(LeaseError::Refused(status)),
            created => created.map_err(lease_error),
        }
    }
}

fn lease_error(error: kube::Error) -> LeaseError {
    let kube::Error::Api(status) = error else { return LeaseError::NoAnswer(error) };
    match status.code {
        404 => LeaseError::NotFound,
        409 => LeaseError::Conflict,
        403 => LeaseError::Forbidden(status),
        _ => LeaseError::Refused(status),
    }
}
