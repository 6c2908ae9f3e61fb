"""The endpoints of payments: for customers, and under `/api/v1/shop` for the staff."""
