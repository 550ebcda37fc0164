"""What alarms look at beside points, folded from what the parts of joulebus say. Pure: the clocks are arguments."""
