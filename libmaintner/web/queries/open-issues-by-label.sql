-- Open issues by label
-- chart: bars
SELECT label, count(*) AS issues
FROM issue_labels JOIN issues USING (repo, number)
WHERE state = 'open' AND NOT pull_request
GROUP BY label ORDER BY issues DESC LIMIT 25
