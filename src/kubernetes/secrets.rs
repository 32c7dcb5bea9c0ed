//! I/O: reads passwords from the Secrets that objects name.

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use plan::{InvalidPassword, Password, SecretProblem};

use super::Kubernetes;

impl Kubernetes {
    /// The password under a key of a Secret, and the version of both.
    ///
    /// # Errors
    /// If there is no valid password, or if the Secret cannot be read.
    pub async fn password(
        &self,
        namespace: &str,
        name: &str,
        key: &str,
    ) -> Result<(Password, String), SecretProblem> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let secret_name = || name.to_owned();
        let secret = match secrets.get_opt(name).await {
            Ok(Some(secret)) => secret,
            Ok(None) => return Err(SecretProblem::NotFound { secret: secret_name() }),
            Err(kube::Error::Api(status)) if status.code == 403 => {
                return Err(SecretProblem::Forbidden { secret: secret_name() });
            }
            Err(error) => {
                tracing::warn!(namespace, secret = name, %error, "failed to read a Secret");
                return Err(SecretProblem::Unreadable { secret: secret_name() });
            }
        };
        // The key is part of the version, because another key of the same Secret holds another password.
        let version = format!("{}{key}", secret_version(&secret.metadata));
        let Some(value) = secret.data.as_ref().and_then(|data| data.get(key)) else {
            return Err(SecretProblem::KeyNotFound { secret: secret_name(), key: key.to_owned() });
        };
        let invalid =
            |why: InvalidPassword| SecretProblem::Invalid { secret: secret_name(), key: key.to_owned(), why };
        Password::parse(&value.0).map(|password| (password, version)).map_err(invalid)
    }
}

/// The Secret's uid and resourceVersion. A password's version begins with it.
pub fn secret_version(secret: &ObjectMeta) -> String {
    let (uid, version) = (secret.uid.as_deref(), secret.resource_version.as_deref());
    format!("{}/{}/", uid.unwrap_or_default(), version.unwrap_or_default())
}
