"""Tests of the project as a whole: loader, dbt and marts together."""
