HTTP/1.1 200 OK
Server: nginx
Content-Type: text/plain; charset="UTF-8"
Access-Control-Allow-Origin: *

{"boot_done":true,"disk_hibernation":false,"ezid":"d41d8cd98f00b204e9800998ecf8427e","success":true}
