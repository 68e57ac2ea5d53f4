-- Open issues without a label
SELECT repo, number, title, user, created FROM issues
WHERE state = 'open' AND NOT pull_request
  AND NOT EXISTS (SELECT 1 FROM issue_labels AS l WHERE l.repo = issues.repo AND l.number = issues.number)
ORDER BY created DESC LIMIT 100
