//! Accelerators, nodes and fabrics from the catalogue.
