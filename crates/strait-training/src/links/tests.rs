//! Properties that hold for any profile; fits to measured tables are in the study's tests.
