//! Which part of a sweep a job scheduler means.
//!
//! In: the environment that Slurm, HyperQueue or Kubernetes gives a task of an array. Out: a [`Part`], or
//! what is wrong with it. Never runs anything.

use crate::exit::Failure;
use strait_study::sweep::Part;

/// The variables that are read, first come first.
const TASKS: [&str; 3] = ["SLURM_ARRAY_TASK_ID", "HQ_TASK_ID", "JOB_COMPLETION_INDEX"];

/// The part of a plan of so many shards that the environment asks for.
pub fn part(shards: u64, variable: &dyn Fn(&str) -> Option<String>) -> Result<Part, Failure> {
    let number = |name: &str| -> Result<Option<u64>, Failure> {
        let Some(text) = variable(name) else {
            return Ok(None);
        };
        (text.trim().parse().map(Some)).map_err(|_| Failure::Usage {
            message: format!("--shard auto: {name} is \"{text}\", which is no number"),
            remedy: "give the part yourself, as in --shard 0/4".to_owned(),
        })
    };
    let mut found = None;
    for name in TASKS {
        if let Some(task) = number(name)? {
            found = Some((name, task));
            break;
        }
    }
    let Some((name, task)) = found else {
        return Err(Failure::Usage {
            message: format!("--shard auto: none of {} is set", TASKS.join(", ")),
            remedy: "run it as a task of a Slurm array, a HyperQueue array or a Kubernetes indexed job, \
                     or give the part yourself, as in --shard 0/4"
                .to_owned(),
        });
    };
    // An array of Slurm says how many tasks it has. If these are numbered without gaps they share out all
    // shards, however many there are; a few that are sent again are the shards of their own numbers.
    if name == "SLURM_ARRAY_TASK_ID"
        && let (Some(count), Some(min), Some(max)) = (
            number("SLURM_ARRAY_TASK_COUNT")?,
            number("SLURM_ARRAY_TASK_MIN")?,
            number("SLURM_ARRAY_TASK_MAX")?,
        )
        && count > 0
        && max.checked_sub(min).is_some_and(|span| span + 1 == count)
        && (min..=max).contains(&task)
    {
        return Ok(Part {
            index: task - min,
            of: count,
        });
    }
    if task >= shards {
        return Err(Failure::Usage {
            message: format!(
                "--shard auto: {name} is {task}, the plan has shards 0 to {}",
                shards - 1
            ),
            remedy: format!(
                "number the tasks from 0 to {}, or plan with as many shards as there are tasks",
                shards - 1
            ),
        });
    }
    Ok(Part {
        index: task,
        of: shards,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(shards: u64, variables: &[(&str, &str)]) -> Result<Part, String> {
        let find = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        part(shards, &find).map_err(|failure| match failure {
            Failure::Usage { message, .. } => message,
            other => format!("{other:?}"),
        })
    }

    #[test]
    fn schedulers_say_which_part() {
        let slurm = |id, count, min, max| {
            [
                ("SLURM_ARRAY_TASK_ID", id),
                ("SLURM_ARRAY_TASK_COUNT", count),
                ("SLURM_ARRAY_TASK_MIN", min),
                ("SLURM_ARRAY_TASK_MAX", max),
            ]
        };
        // As many tasks as shards; fewer; counted from 1.
        assert_eq!(
            of(8, &slurm("3", "8", "0", "7")),
            Ok(Part { index: 3, of: 8 })
        );
        assert_eq!(
            of(8, &slurm("1", "2", "0", "1")),
            Ok(Part { index: 1, of: 2 })
        );
        assert_eq!(
            of(8, &slurm("8", "8", "1", "8")),
            Ok(Part { index: 7, of: 8 })
        );
        // Two of eight are sent again.
        assert_eq!(
            of(8, &slurm("5", "2", "2", "5")),
            Ok(Part { index: 5, of: 8 })
        );
        assert_eq!(of(8, &[("HQ_TASK_ID", "7")]), Ok(Part { index: 7, of: 8 }));
        assert_eq!(
            of(8, &[("JOB_COMPLETION_INDEX", "0")]),
            Ok(Part { index: 0, of: 8 })
        );
    }

    #[test]
    fn what_says_nothing_is_told() {
        assert!(of(8, &[]).unwrap_err().contains("SLURM_ARRAY_TASK_ID"));
        assert!(
            of(8, &[("HQ_TASK_ID", "8")])
                .unwrap_err()
                .contains("0 to 7")
        );
        assert!(
            of(8, &[("HQ_TASK_ID", "x")])
                .unwrap_err()
                .contains("no number")
        );
    }
}
