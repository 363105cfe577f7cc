"""Exporters: files of HPC projects become typed Parquet in the staging bucket."""
