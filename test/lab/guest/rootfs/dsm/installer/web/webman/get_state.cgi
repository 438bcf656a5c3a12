HTTP/1.1 200 OK
Content-Type: application/json; charset="UTF-8"

{"success":true,"data":{"has_disk":true,"dsinfo":{"model":"DS918+","serial":"SERIALOFANAS1","mac_addr":"52:54:00:d5:30:01","ip_addr":"10.99.0.20","hostname":"DiskStation","build_ver":"7.1.1-42962","disk_count":2,"disk_size_enough":true,"is_installing":false,"https_admin_port":"5001","internet_ok":"false","internet_install_ok":false,"internet_migrate_ok":false,"internet_reinstall_ok":false,"status":"not_install"}}}
