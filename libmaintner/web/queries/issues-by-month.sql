-- Issues opened and closed, by month
-- chart: line
WITH opened AS (SELECT substr(created, 1, 7) AS month, count(*) AS n FROM issues WHERE NOT pull_request GROUP BY month),
     closed AS (SELECT substr(closed_at, 1, 7) AS month, count(*) AS n FROM issues WHERE NOT pull_request AND closed_at IS NOT NULL GROUP BY month)
SELECT opened.month, opened.n AS opened, coalesce(closed.n, 0) AS closed
FROM opened LEFT JOIN closed USING (month)
ORDER BY month
