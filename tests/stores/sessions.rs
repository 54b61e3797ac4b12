//! Sessions over stores that outlive them.
