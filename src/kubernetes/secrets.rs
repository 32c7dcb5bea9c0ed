//! I/O: reads passwords from the Secrets that objects name.

use k8s_openapi::api::authorization::v1::ResourceAttributes;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use plan::{InvalidPassword, Password, SecretProblem, SecretVersion};

use super::failures::secret_cause;
use super::{Kubernetes, may};
use crate::api::TrimmedSecret;

impl Kubernetes {
    /// Whether the Secrets of this namespace may be listed. If nobody may ask that, a LIST shows it.
    pub(crate) async fn may_list_secrets(&self, namespace: &str) -> bool {
        let list = ResourceAttributes {
            namespace: Some(namespace.to_owned()),
            resource: Some("secrets".to_owned()),
            verb: Some("list".to_owned()),
            ..ResourceAttributes::default()
        };
        match may(&self.client, list).await {
            Ok(is_allowed) => is_allowed,
            Err(kube::Error::Api(status)) if status.code == 403 => true,
            Err(error) => {
                self.failures.note("ask whether Secrets may be listed", namespace, &error);
                false
            }
        }
    }

    /// The password under a key of a Secret, and the version that it was read from.
    ///
    /// # Errors
    /// If there is no valid password, or if the Secret cannot be read.
    pub async fn password(
        &self,
        namespace: &str,
        name: &str,
        key: &str,
    ) -> Result<(Password, SecretVersion), SecretProblem> {
        let secrets: Api<TrimmedSecret> = Api::namespaced(self.client.clone(), namespace);
        let secret_name = || name.to_owned();
        // The CRD refuses such a name, but an earlier CRD may have admitted it. It could lead the request to another namespace.
        if !plan::is_object_name(name) {
            return Err(SecretProblem::NotFound { secret: secret_name() });
        }
        let secret = match secrets.get_opt(name).await.and_then(super::whole) {
            Ok(Some(secret)) => secret,
            Ok(None) => return Err(SecretProblem::NotFound { secret: secret_name() }),
            Err(kube::Error::Api(status)) if status.code == 403 => {
                return Err(SecretProblem::Forbidden { secret: secret_name() });
            }
            Err(error) => {
                let why = secret_cause(&error);
                self.failures.note_cause("read a Secret", &format!("{namespace}/{name}"), &why);
                return Err(SecretProblem::Unreadable { secret: secret_name(), why });
            }
        };
        let Some(value) = secret.data.as_ref().and_then(|data| data.get(key)) else {
            return Err(SecretProblem::KeyNotFound { secret: secret_name(), key: key.to_owned() });
        };
        let invalid =
            |why: InvalidPassword| SecretProblem::Invalid { secret: secret_name(), key: key.to_owned(), why };
        let password = Password::parse(&value.0).map_err(invalid)?;
        Ok((password, version_of_key(secret.metadata, key)))
    }
}

fn version_of_key(secret: ObjectMeta, key: &str) -> SecretVersion {
    SecretVersion::Key {
        uid: secret.uid.unwrap_or_default(),
        resource_version: secret.resource_version.unwrap_or_default(),
        key: key.to_owned(),
    }
}
