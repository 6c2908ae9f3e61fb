"""The catalogue's endpoints: for customers, and under `/api/v1/shop` for the staff."""
