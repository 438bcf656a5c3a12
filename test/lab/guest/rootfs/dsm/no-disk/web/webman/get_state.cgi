HTTP/1.1 200 OK
Content-Type: text/plain; charset="UTF-8"

{
	"success": true,
	"data": {
		"has_disk": false,
		"dsinfo": {
			"product": "DiskStation",
			"model": "DS918+",
			"internet_ok": false,
			"ip_addr": "10.99.0.20",
			"mac_addr": "52:54:00:d5:30:01",
			"serial": "SERIALOFANAS1",
			"build_num": 42962,
			"build_ver": "7.1-42962",
			"is_installing": false,
			"clean_all_partition_disks": "",
			"product": "DiskStation",
			"buildin_storage": false,
			"disk_size_enough": true,
			"show_shr": true,
			"status": "",
			"hostname": "vm"
		}
	}
}
