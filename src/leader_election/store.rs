//! I/O: the Lease at the API server.

use std::future::Future;

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::PostParams;
use kube::{Api, Client};

use super::LEASE;
use crate::api::FIELD_MANAGER;

/// Where the Lease is. Every method is one request, never repeated by itself.
pub trait Store: Send + Sync + 'static {
    /// The Lease as it is now, uncached.
    fn read(&self) -> impl Future<Output = Answer> + Send;
    /// Replaces the version that `lease` names; where it names none, creates it.
    fn write(&self, lease: Lease) -> impl Future<Output = Answer> + Send;
}

/// What the API server answers.
#[derive(Clone, Debug)]
pub enum Answer {
    /// This is the Lease now.
    Lease(Lease),
    /// There is none.
    Absent,
    /// It is no longer the version that was named: nothing was written.
    Conflict,
    /// Not allowed: why.
    Forbidden(String),
    /// Anything else, no answer in time among it: what became of the request is not known. Why.
    Failed(String),
}

/// The Lease in a namespace.
#[derive(Clone, Debug)]
pub struct Leases {
    leases: Api<Lease>,
}

impl Leases {
    /// Through this client, which repeats nothing by itself.
    #[must_use]
    pub fn new(client: Client, namespace: &str) -> Self {
        Self { leases: Api::namespaced(client, namespace) }
    }
}

impl Store for Leases {
    async fn read(&self) -> Answer {
        answer(self.leases.get(LEASE).await, true)
    }

    async fn write(&self, lease: Lease) -> Answer {
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        if lease.metadata.resource_version.is_some() {
            answer(self.leases.replace(LEASE, &params, &lease).await, true)
        } else {
            // Not found is the namespace then.
            answer(self.leases.create(&params, &lease).await, false)
        }
    }
}

fn answer(result: kube::Result<Lease>, may_be_absent: bool) -> Answer {
    let error = match result {
        Ok(lease) => return Answer::Lease(lease),
        Err(error) => error,
    };
    let kube::Error::Api(status) = error else { return Answer::Failed(error.to_string()) };
    match status.code {
        404 if may_be_absent => Answer::Absent,
        409 => Answer::Conflict,
        403 => Answer::Forbidden(status.message.clone()),
        _ => Answer::Failed(status.message.clone()),
    }
}
