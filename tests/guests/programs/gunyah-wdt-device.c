/*
 * Makes the platform device that gunyah_wdt binds to. On a phone the driver of Qualcomm's secure
 * monitor makes it, for which other machines have no node.
 */
#include <linux/err.h>
#include <linux/module.h>
#include <linux/platform_device.h>

static struct platform_device *device;

static int __init gunyah_wdt_device_init(void)
{
	device = platform_device_register_simple("gunyah-wdt", PLATFORM_DEVID_NONE, NULL, 0);
	return PTR_ERR_OR_ZERO(device);
}

static void __exit gunyah_wdt_device_exit(void)
{
	platform_device_unregister(device);
}

module_init(gunyah_wdt_device_init);
module_exit(gunyah_wdt_device_exit);
MODULE_DESCRIPTION("platform device of the Gunyah watchdog");
MODULE_LICENSE("GPL");
