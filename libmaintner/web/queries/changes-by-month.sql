-- Changes by month, and how many of them were merged
-- chart: line
SELECT substr(created, 1, 7) AS month, count(*) AS changes, sum(status = 'merged') AS merged
FROM changes GROUP BY month ORDER BY month
