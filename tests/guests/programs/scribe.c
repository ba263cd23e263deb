/*
 * A module that is stopped in: /proc/scribe adds up the numbers that are written to it.
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/proc_fs.h>
#include <linux/uaccess.h>

static int scribe_factor = 3;
module_param(scribe_factor, int, 0600);

static unsigned long scribe_total;
static unsigned long scribe_writes;
static unsigned long scribe_heavy;

/* Another module of the tests has a function of this name, too. */
static noinline unsigned long weigh(unsigned long value)
{
	unsigned long weight = value * scribe_factor;

	if (value > 1000000)
		scribe_heavy += weight;
	return weight + 1;
}

static noinline void scribe_note(unsigned long value)
{
	scribe_total += weigh(value);
	scribe_writes++;
}

static ssize_t scribe_write(struct file *file, const char __user *text, size_t size, loff_t *at)
{
	unsigned long value;
	int error = kstrtoul_from_user(text, size, 0, &value);

	if (error)
		return error;
	scribe_note(value);
	return size;
}

static const struct proc_ops scribe_ops = { .proc_write = scribe_write };

static int __init scribe_init(void)
{
	scribe_note(scribe_factor);
	return proc_create("scribe", 0200, NULL, &scribe_ops) ? 0 : -ENOMEM;
}

static void __exit scribe_exit(void)
{
	remove_proc_entry("scribe", NULL);
}

module_init(scribe_init);
module_exit(scribe_exit);
MODULE_LICENSE("Dual BSD/GPL");
MODULE_DESCRIPTION("Adds up numbers");
