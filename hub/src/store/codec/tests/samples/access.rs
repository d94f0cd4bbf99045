//! Who gets in: tokens, revocations, roles, and who signs for pods.

use std::collections::BTreeSet;
use std::time::Duration;

use godwit_common::{Uid, WallTime};
use godwit_hub_core::{
    Admits, Approval, Former, Issuer, IssuerRecord, Permit, Reach, Record, Revocation, RevocationRecord,
    Role, RoleBinding, TokenHash, TokenRecord, TokenUse, Verdict,
};

use super::name;

pub(super) fn access() -> Vec<Record> {
    let verdict = Some(Verdict { approved: true, by: "ann".into(), at: WallTime(55) });
    let approval = Some(Approval { until: WallTime(56), verdict });
    let used =
        TokenUse { at: WallTime(50), uid: Uid(8), key: [3; 32], from: "192.0.2.7:4711".into(), approval };
    let token = TokenRecord {
        hash: TokenHash([7; 32]),
        admits: Admits::Cluster(name("new")),
        by: "ops".into(),
        created: WallTime(49),
        expires: WallTime(60),
        approval: Some(Duration::from_secs(57)),
        used: Some(used),
    };
    let admits = Admits::Operator("ops@example.com".into());
    let of_an_operator =
        TokenRecord { hash: TokenHash([8; 32]), admits, approval: None, used: None, ..token.clone() };
    let mut records = vec![Record::Token(token), Record::Token(of_an_operator)];
    for what in [
        Revocation::Cluster(name("gone")),
        Revocation::Admin("ops@example.com".into()),
        Revocation::Serial("4a0b".into()),
    ] {
        let readmitted = Some(WallTime(52));
        records.push(Record::Revocation(RevocationRecord {
            what,
            by: "ops".into(),
            at: WallTime(51),
            readmitted,
            former: Some(Former { uid: Uid(7), at: WallTime(55) }),
        }));
    }
    let reach = Reach {
        namespaces: BTreeSet::from(["shop".into(), "staging".into()]),
        policies: BTreeSet::from([name("spread")]),
        max_priority: -7,
    };
    records.push(Record::RoleBinding(RoleBinding {
        name: "ann@example.com".into(),
        permit: Permit { role: Role::Deployer, reach },
        by: "ops".into(),
        at: WallTime(53),
    }));
    let issuer = Issuer {
        url: "https://kubernetes.default.svc.cluster.local".into(),
        subject: "system:serviceaccount:godwit-system:godwit-agent".into(),
        keys: BTreeSet::from(["{\"kty\":\"EC\"}".into(), "{\"kty\":\"RSA\"}".into()]),
    };
    records.push(Record::Issuer(IssuerRecord {
        cluster: name("new"),
        uid: Uid(8),
        issuer,
        proven: BTreeSet::from(["{\"kty\":\"RSA\"}".into()]),
        at: WallTime(54),
    }));
    records
}
