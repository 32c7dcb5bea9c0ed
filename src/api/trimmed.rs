//! No I/O: objects without what others write into their metadata. A tenant may put 256 KiB of annotations on an object, and 1.5 MB
//! of labels or finalizers. The decoder skips them, so that they never take memory.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::Resource;
use plan::LONGEST_REQUEST;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

use super::{ANNOTATIONS, ElastiCacheUser, ElastiCacheUserSpec, ElastiCacheUserStatus, FINALIZER};

/// An object with more finalizers is not written, because a write names all of them.
pub const MOST_FINALIZERS: usize = 16;
/// Stands for the finalizers of others if there are too many. No object can have a finalizer of this name.
pub const TOO_MANY_FINALIZERS: &str = "";

/// An [`ElastiCacheUser`] with the metadata that the operator reads.
#[derive(Resource, Clone, Debug, Deserialize)]
#[resource(inherit = "ElastiCacheUser")]
pub struct TrimmedUser {
    #[serde(deserialize_with = "trimmed")]
    metadata: ObjectMeta,
    spec: ElastiCacheUserSpec,
    status: Option<ElastiCacheUserStatus>,
}

impl From<TrimmedUser> for ElastiCacheUser {
    fn from(TrimmedUser { metadata, spec, status }: TrimmedUser) -> Self {
        Self { metadata, spec, status }
    }
}

/// A Secret. A watch gets no data.
#[derive(Resource, Clone, Deserialize)]
#[resource(inherit = "Secret")]
pub struct TrimmedSecret {
    /// Name, namespace, uid and resourceVersion.
    #[serde(deserialize_with = "trimmed")]
    pub metadata: ObjectMeta,
    /// What is secret.
    pub data: Option<BTreeMap<String, ByteString>>,
}

impl fmt::Debug for TrimmedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrimmedSecret").field("name", &self.metadata.name).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TrimmedMetadata {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    generation: Option<i64>,
    creation_timestamp: Option<Time>,
    deletion_timestamp: Option<Time>,
    finalizers: Option<Finalizers>,
    annotations: Option<OwnAnnotations>,
}

fn trimmed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectMeta, D::Error> {
    let read = TrimmedMetadata::deserialize(deserializer)?;
    Ok(ObjectMeta {
        name: read.name,
        namespace: read.namespace,
        uid: read.uid,
        resource_version: read.resource_version,
        generation: read.generation,
        creation_timestamp: read.creation_timestamp,
        deletion_timestamp: read.deletion_timestamp,
        finalizers: read.finalizers.map(|Finalizers(kept)| kept),
        annotations: read.annotations.map(|OwnAnnotations(kept)| kept).filter(|kept| !kept.is_empty()),
        ..ObjectMeta::default()
    })
}

struct Finalizers(Vec<String>);

impl<'de> Deserialize<'de> for Finalizers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Few;
        impl<'de> Visitor<'de> for Few {
            type Value = Finalizers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("finalizers")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Finalizers, A::Error> {
                let (mut kept, mut too_many): (Vec<String>, bool) = (Vec::new(), false);
                while let Some(finalizer) = items.next_element::<String>()? {
                    too_many |= kept.len() == MOST_FINALIZERS;
                    if !too_many || finalizer == FINALIZER && !kept.contains(&finalizer) {
                        kept.push(finalizer);
                    }
                }
                if too_many {
                    kept.retain(|finalizer| finalizer == FINALIZER);
                    kept.push(TOO_MANY_FINALIZERS.to_owned());
                }
                kept.shrink_to_fit();
                Ok(Finalizers(kept))
            }
        }
        deserializer.deserialize_seq(Few)
    }
}

/// Those that mean something to the operator. The end of an overlong value is cut off: it stays overlong.
struct OwnAnnotations(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for OwnAnnotations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Own;
        impl<'de> Visitor<'de> for Own {
            type Value = OwnAnnotations;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("annotations")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<OwnAnnotations, A::Error> {
                let mut kept = BTreeMap::new();
                while let Some(AnnotationKey(own)) = entries.next_key()? {
                    match own {
                        Some(key) => {
                            let value: String = entries.next_value()?;
                            kept.insert(key.to_owned(), value.chars().take(LONGEST_REQUEST + 1).collect());
                        }
                        None => drop(entries.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(OwnAnnotations(kept))
            }
        }
        deserializer.deserialize_map(Own)
    }
}

/// `None`: another program's.
struct AnnotationKey(Option<&'static str>);

impl<'de> Deserialize<'de> for AnnotationKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl Visitor<'_> for KeyVisitor {
            type Value = AnnotationKey;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the key of an annotation")
            }

            fn visit_str<E: de::Error>(self, key: &str) -> Result<AnnotationKey, E> {
                Ok(AnnotationKey(ANNOTATIONS.into_iter().find(|own| *own == key)))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}
