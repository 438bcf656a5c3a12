HTTP/1.1 200 OK
Server: nginx
Content-Type: application/json; charset="UTF-8"
Cache-Control: max-age=0, no-cache, no-store, must-revalidate

{"data":{"SYNO.API.Auth":{"maxVersion":7,"minVersion":1,"path":"entry.cgi"}},"success":true}
