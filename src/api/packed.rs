//! No I/O: an object as JSON text. Decoded, it takes three times as much memory, in some 40 pieces.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};

use super::{ElastiCacheUser, ElastiCacheUserSpec, ElastiCacheUserStatus, TrimmedUser};

/// An object as JSON text. Clones share the text.
#[derive(Clone, Debug)]
pub struct PackedUser(Arc<str>);

#[derive(Serialize)]
struct PackedParts<'a> {
    metadata: &'a ObjectMeta,
    spec: &'a ElastiCacheUserSpec,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'a ElastiCacheUserStatus>,
}

impl PackedUser {
    /// Without the metadata that others write.
    #[must_use]
    pub fn new(object: &ElastiCacheUser) -> Self {
        let ElastiCacheUser { metadata, spec, status } = object;
        let text = serde_json::to_string(&PackedParts { metadata, spec, status: status.as_ref() });
        // JSON can express every object.
        Self(text.unwrap_or_default().into())
    }

    /// `None` never happens, because the text is that of an object.
    #[must_use]
    pub fn unpack(&self) -> Option<ElastiCacheUser> {
        self.read::<TrimmedUser>().map(Into::into)
    }

    /// Decodes parts of the object, which takes a fraction of the time.
    pub(crate) fn read<'a, T: Deserialize<'a>>(&'a self) -> Option<T> {
        serde_json::from_str(&self.0).ok()
    }
}
