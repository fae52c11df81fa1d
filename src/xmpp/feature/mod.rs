//! One feature, one file: each starts with its specification and exports its rows of the router's table.
