//! No I/O: the enums of a spec. Each has a variant for an unknown word, because a newer CRD may have admitted one and the object
//! must still be decoded.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Declares an enum with the words of its variants, and a schema that admits only these words.
macro_rules! word_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
            /// A word that this version does not know.
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

        // Not derived, because the derive would also admit `Unrecognized`, and `null` for optional fields.
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

word_enum! {
    /// The engine that an ElastiCache user belongs to.
    Engine {
        /// Redis OSS.
        Redis = "redis",
        /// Valkey.
        Valkey = "valkey",
    }
}

word_enum! {
    /// How an ElastiCache user proves who it is, in AWS's input words.
    AuthenticationType {
        /// One or two passwords.
        Password = "password",
        /// A short-lived token of AWS IAM.
        Iam = "iam",
        /// No proof at all. Redis OSS only.
        NoPasswordRequired = "no-password-required",
    }
}

word_enum! {
    /// Who sets the passwords of an ElastiCache user.
    PasswordSource {
        /// The operator, from Secrets.
        Secrets = "Secrets",
        /// Somebody else, at AWS.
        External = "External",
    }
}

word_enum! {
    /// What becomes of the AWS user when its object is deleted.
    DeletionPolicy {
        /// It is deleted first.
        Delete = "Delete",
        /// It stays as it is.
        Retain = "Retain",
    }
}

word_enum! {
    /// Whether an existing AWS user without owner tags may be taken over.
    AdoptionPolicy {
        /// It is left alone.
        Never = "Never",
        /// It is taken over.
        Adopt = "Adopt",
    }
}

word_enum! {
    /// Whether the AWS user is managed, or only observed.
    ManagementPolicy {
        /// It is created, changed and deleted.
        Manage = "Manage",
        /// It is only read, and the object reports what would change.
        Observe = "Observe",
    }
}
