//! Quotas.

use std::io;
use std::time::SystemTime;

use godwit_proto::v1::{GetQuotaRequest, ListQuotasRequest, Quota, QuotaSpec, WatchQuotasRequest};

use super::{Change, Changes, Column, Fetched, Filter, Shown, changes, column};
use crate::client::{Client, all_pages, answer, present};
use crate::error::Error;
use crate::output::age::NONE;
use crate::output::amount;
use crate::output::colour::Colour;
use crate::output::sheet::Sheet;
use crate::output::table::Cell;

impl Shown for Quota {
    const COLUMNS: &'static [Column] = &[
        column("NAMESPACE"),
        column("REPLICAS"),
        column("CPU"),
        column("MEMORY"),
        column("EPHEMERAL").wide(),
        column("EXTENDED").wide(),
    ];
    const NAMED_BY: usize = 1;

    fn cells(&self, _: SystemTime) -> Vec<Cell> {
        let mut cells = vec![Cell::from(&*self.namespace)];
        cells.extend(self.amounts().iter().map(|(_, amount)| amount.cell()));
        let extended = self.extended();
        let full = extended.iter().any(|(_, amount)| amount.is_full());
        let named = extended.iter().map(|(name, amount)| format!("{name} {}", amount.text()));
        let named = Cell::from(named.collect::<Vec<_>>().join(", "));
        cells.push(named.coloured(full.then_some(Colour::Yellow)));
        cells
    }

    fn reference(&self) -> String {
        format!("quota/{}", self.namespace)
    }

    async fn fetch(client: &Client, filter: &Filter) -> Result<Fetched<Self>, Error> {
        if let Some(namespace) = wanted(filter)? {
            return find(client, namespace).await.map(Fetched::One);
        }
        let all = all_pages(async |page_token| {
            let request = ListQuotasRequest { page_token, ..ListQuotasRequest::default() };
            let page = answer(client.quotas().list_quotas(request)).await?;
            Ok((page.items, page.next_page_token))
        })
        .await?;
        Ok(Fetched::Many(all))
    }

    async fn watch(client: &Client, filter: &Filter) -> Result<Changes<Self>, Error> {
        let namespace = wanted(filter)?.unwrap_or_default().to_owned();
        let stream = answer(client.quotas().watch_quotas(WatchQuotasRequest { namespace })).await?;
        Ok(changes(stream, |answer| {
            let item = answer.quota?;
            Some(Change { item, removed: answer.removed })
        }))
    }
}

/// The quota of that namespace.
pub(crate) async fn find(client: &Client, namespace: &str) -> Result<Quota, Error> {
    let request = GetQuotaRequest { namespace: namespace.to_owned() };
    let found = answer(client.quotas().get_quota(request)).await;
    let found = found.map_err(|error| match error.is_not_found() {
        true => error.with_hint("`godwit get quotas` lists the namespaces that have one"),
        false => error,
    })?;
    present(found.quota, "quota")
}

/// Everything about it.
pub(crate) fn describe(quota: &Quota, sheet: &mut Sheet<'_>) -> io::Result<()> {
    sheet.line("Namespace", &quota.namespace)?;
    let amounts = quota.amounts().into_iter().map(|(name, amount)| (name.to_owned(), amount));
    let amounts = amounts.chain(quota.extended());
    let row = |(name, amount): (String, Amount)| {
        let full = amount.is_full().then_some(Colour::Yellow);
        vec![
            Cell::from(name),
            Cell::from((amount.show)(amount.used)).coloured(full),
            amount.bound.map(amount.show).unwrap_or_default().into(),
        ]
    };
    let rows: Vec<Vec<Cell>> = amounts.map(row).collect();
    sheet.table("Bounds", vec!["RESOURCE", "USED", "BOUND"], &rows, "none")
}

/// A quota is named by its namespace: by itself, or as --namespace says it.
fn wanted(filter: &Filter) -> Result<Option<&str>, Error> {
    match (filter.name.as_deref(), filter.namespace.as_deref()) {
        (Some(name), Some(namespace)) if name != namespace => Err(Error::Usage(format!(
            "quota {name:?}: --namespace says {namespace}; a quota is named by its namespace, so give one of the two"
        ))),
        (name, namespace) => Ok(name.or(namespace)),
    }
}

/// How much is used, and the bound.
struct Amount {
    used: u64,
    bound: Option<u64>,
    show: fn(u64) -> String,
}

impl Amount {
    fn is_full(&self) -> bool {
        self.bound.is_some_and(|bound| self.used >= bound)
    }

    fn text(&self) -> String {
        let bound = self.bound.map(self.show).unwrap_or_else(|| NONE.to_owned());
        format!("{}/{bound}", (self.show)(self.used))
    }

    fn cell(&self) -> Cell {
        Cell::from(self.text()).coloured(self.is_full().then_some(Colour::Yellow))
    }
}

trait Amounts {
    /// Those that have a name of their own: replicas, CPU, memory, ephemeral storage.
    fn amounts(&self) -> [(&'static str, Amount); 4];
    /// Extended resources that are bounded.
    fn extended(&self) -> Vec<(String, Amount)>;
}

impl Amounts for Quota {
    fn amounts(&self) -> [(&'static str, Amount); 4] {
        let (spec, used) = both(self);
        let one = |name, of: fn(&QuotaSpec) -> Option<u64>| {
            let used = of(&used).unwrap_or_default();
            (name, Amount { used, bound: of(&spec), show: amount::of(name) })
        };
        [
            one("replicas", |spec| spec.replicas),
            one("cpu", |spec| spec.cpu_millis),
            one("memory", |spec| spec.memory_bytes),
            one("ephemeral-storage", |spec| spec.ephemeral_bytes),
        ]
    }

    fn extended(&self) -> Vec<(String, Amount)> {
        let (spec, used) = both(self);
        let one = |(name, bound): (&String, &u64)| {
            let used = used.extended.get(name).copied().unwrap_or_default();
            (name.clone(), Amount { used, bound: Some(*bound), show: amount::of(name) })
        };
        spec.extended.iter().map(one).collect()
    }
}

fn both(quota: &Quota) -> (QuotaSpec, QuotaSpec) {
    (quota.spec.clone().unwrap_or_default(), quota.used.clone().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_what_is_used_of_what() {
        let extended = |count| [("nvidia.com/gpu".to_owned(), count)].into();
        let quota = Quota {
            namespace: "shop".into(),
            spec: Some(QuotaSpec { replicas: Some(40), extended: extended(8), ..QuotaSpec::default() }),
            used: Some(QuotaSpec {
                replicas: Some(12),
                cpu_millis: Some(1200),
                extended: extended(8),
                ..QuotaSpec::default()
            }),
        };
        let cells = quota.cells(SystemTime::UNIX_EPOCH);
        let full = Cell::from("nvidia.com/gpu 8/8").coloured(Some(Colour::Yellow));
        assert_eq!(cells[..3], ["shop", "12/40", "1.2/-"].map(Cell::from));
        assert_eq!(cells[5], full);
        assert_eq!(cells.len(), Quota::COLUMNS.len());
    }

    #[test]
    fn a_quota_is_named_by_its_namespace_in_either_way() {
        let filter = |name: Option<&str>, namespace: Option<&str>| Filter {
            name: name.map(str::to_owned),
            namespace: namespace.map(str::to_owned),
            ..Filter::default()
        };
        assert_eq!(wanted(&filter(None, Some("shop"))).expect("one"), Some("shop"));
        assert_eq!(wanted(&filter(Some("shop"), Some("shop"))).expect("one"), Some("shop"));
        assert!(matches!(wanted(&filter(Some("shop"), Some("other"))), Err(Error::Usage(_))));
    }
}
