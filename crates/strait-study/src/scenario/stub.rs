//! Temporary.
use crate::catalog::{Catalog, CatalogError};
use strait_training::hardware::*;
use strait_units::*;
pub(super) trait Hardware {
    fn accelerator(&self, id: &str) -> Result<Accelerator, CatalogError>;
    fn node(&self, id: &str) -> Result<Node, CatalogError>;
    fn fabric(&self, id: &str) -> Result<Fabric, CatalogError>;
}
fn no(kind: &str, id: &str) -> CatalogError { CatalogError::UnknownId { kind: kind.into(), id: id.into(), suggestion: None } }
impl Hardware for Catalog {
    fn accelerator(&self, id: &str) -> Result<Accelerator, CatalogError> {
        if !["h800-sxm", "h100-sxm", "h200-sxm", "h20-96", "a800-sxm-80", "a100-sxm-80"].contains(&id) { return Err(no("accelerators", id)); }
        let a = id.starts_with('a');
        Ok(Accelerator { id: id.into(), name: id.into(), peaks: Peaks { fp16: Some(FlopRate::new(989e12)), bf16: Some(FlopRate::new(989e12)), fp8: if a { None } else { Some(FlopRate::new(1979e12)) }, fp4: None },
            compute_units: 132, memory: Bytes::new(80_000_000_000), memory_bandwidth: Bandwidth::new(3.35e12), scale_up: Bandwidth::new(200e9), tdp: Power::new(700.0), price: None, rent: None, kernels: "hopper".into(), links: if a { "ampere" } else { "hopper" }.into() })
    }
    fn node(&self, id: &str) -> Result<Node, CatalogError> {
        if !id.starts_with("hgx-") { return Err(no("nodes", id)); }
        Ok(Node { id: id.into(), accelerators: 8, scale_up: ScaleUp::Switched, in_network_reduction: true, nic_bandwidth: Bandwidth::new(50e9), overhead_power: Power::new(575.0) })
    }
    fn fabric(&self, id: &str) -> Result<Fabric, CatalogError> {
        Ok(Fabric { id: id.into(), transport: Transport::Infiniband, planes: 8, layers: 2, radix: 64, oversubscription: 1.0, pod: None })
    }
}
