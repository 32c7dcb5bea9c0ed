//! I/O: what the operator itself may do in the cluster.

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::api::PostParams;
use kube::{Api, Client};

/// Asks the API server whether this client may do what the attributes name.
///
/// # Errors
/// If the API server does not answer, or the client may not ask.
pub(crate) async fn may(client: &Client, attributes: ResourceAttributes) -> kube::Result<bool> {
    let question = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(attributes),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let review = reviews.create(&PostParams::default(), &question).await?;
    Ok(review.status.is_some_and(|status| status.allowed))
}
