"""What differs between the warehouses: connections, DDL of raw tables, COPY, publishing."""
