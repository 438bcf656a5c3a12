HTTP/1.1 200 OK
Content-Type: application/json; charset="UTF-8"

{"success":true,"data":{"stage":"install","progress":"37"}}
