// SPDX-License-Identifier: GPL-2.0
/* /dev/shout: what is written to it is read back in capitals. */

#include <linux/ctype.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/uaccess.h>

static char text[256];
static size_t length;
static DEFINE_MUTEX(lock);

static ssize_t shout_read(struct file *file, char __user *to, size_t count, loff_t *at)
{
	ssize_t done;

	mutex_lock(&lock);
	done = simple_read_from_buffer(to, count, at, text, length);
	mutex_unlock(&lock);
	return done;
}

static ssize_t shout_write(struct file *file, const char __user *from, size_t count, loff_t *at)
{
	size_t i, size = min(count, sizeof(text));

	mutex_lock(&lock);
	length = size - copy_from_user(text, from, size);
	for (i = 0; i < length; i++)
		text[i] = toupper(text[i]);
	mutex_unlock(&lock);
	return size && !length ? -EFAULT : count;
}

static const struct file_operations shout_operations = {
	.owner = THIS_MODULE,
	.read = shout_read,
	.write = shout_write,
};

static struct miscdevice shout = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "shout",
	.fops = &shout_operations,
};

module_misc_device(shout);
MODULE_DESCRIPTION("An example of a driver that CI tests in a VM");
MODULE_LICENSE("GPL");
