//! No I/O: the closed lists of words in a spec, each with a place for a word that is not in the list. A newer
//! CRD may have let it in, and the object that carries it must still decode.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Declares one list: the enum, its words on the wire, and a schema that offers the known ones only.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
            /// A word that this version does not know, as it is stored.
            Unrecognized(String),
        }

        impl $name {
            /// Every word that the CRD admits.
            pub const WORDS: &[&str] = &[$($word),+];

            /// The word as it is written in a manifest.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)+
                    Self::Unrecognized(word) => word,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl From<String> for $name {
            fn from(word: String) -> Self {
                match word.as_str() {
                    $($word => Self::$variant,)+
                    _ => Self::Unrecognized(word),
                }
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer).map(Self::from)
            }
        }

        // By hand: the derive would offer `Unrecognized`, and `null` wherever the field is optional.
        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "enum": Self::WORDS })
            }
        }
    };
}

words! {
    /// The engine that an ElastiCache user belongs to.
    Engine {
        /// Redis OSS.
        Redis = "redis",
        /// Valkey.
        Valkey = "valkey",
    }
}

words! {
    /// How an ElastiCache user proves who it is, in AWS's input words.
    AuthenticationType {
        /// One or two passwords.
        Password = "password",
        /// A short-lived token of AWS IAM.
        Iam = "iam",
        /// Not at all; Redis OSS only.
        NoPasswordRequired = "no-password-required",
    }
}

words! {
    /// What becomes of the AWS user when its object is deleted.
    DeletionPolicy {
        /// It is deleted first.
        Delete = "Delete",
        /// It is left as it is.
        Retain = "Retain",
    }
}

words! {
    /// Whether an AWS user that nobody else's tags claim may be taken over.
    AdoptionPolicy {
        /// It is left alone.
        Never = "Never",
        /// It is taken over.
        Adopt = "Adopt",
    }
}

words! {
    /// Whether the AWS user is managed, or only looked at.
    ManagementPolicy {
        /// It is created, changed and deleted.
        Manage = "Manage",
        /// It is looked at and told about.
        Observe = "Observe",
    }
}
