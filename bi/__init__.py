"""A BI tool on the marts: Apache Superset, and a dashboard that a script builds. See docs/bi.md."""
